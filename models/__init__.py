"""The recogniser and its defence: a face crop in, evidence out. No camera, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.errors import BadInput
from models.evidence import CropEvidence, Evidence
from models.no_telemetry import switch_off
from models.policy import Decision, Policy

switch_off()  # before anything imports ONNX Runtime or OpenVINO

if TYPE_CHECKING:
    from models.recogniser import Recogniser, load_recogniser

__all__ = ["BadInput", "CropEvidence", "Decision", "Evidence", "Policy", "Recogniser", "load_recogniser"]


def __getattr__(name: str) -> Any:
    """Torch takes seconds to import: the recogniser is loaded on first use only."""
    if name in ("Recogniser", "load_recogniser"):
        from models import recogniser

        return getattr(recogniser, name)
    raise AttributeError(f"module 'models' has no attribute {name!r}")

"""What is said about an evaluation beside its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.network.vgg16 import VGG16
from models.recogniser import Recogniser
from tools.evaluation.defences import BAND, TUNED, is_tuned
from tools.evaluation.plan import Plan


def provenance(recogniser: Recogniser) -> str:
    """Whether the crops measured on can have been fitted to."""
    trained = recogniser.bundle.info.training
    return "none of them fitted to" if trained else "not verified to be unseen (the bundle has no training record)"


def missing_of(
    recogniser: Recogniser, wanted: list[str], band_model: VGG16 | None, plan: Plan, strangers: Path | None
) -> list[str]:
    """What the table lacks, and why."""
    missing = []
    if TUNED in wanted and not is_tuned(recogniser):
        missing.append("tuned (the bundle was not tuned: python -m tools.tune_defence)")
    if BAND not in wanted:
        missing.append("hidden eye band (--full or --defence band)")
    elif band_model is None:
        missing.append("hidden eye band (no training folders: --fitted)")
    if "strangers" in plan.attacks and strangers is None:
        missing.append("strangers (no --strangers)")
    return missing


def short(result: dict[str, Any]) -> dict[str, Any]:
    """The figures that the log of looks at a test split keeps."""
    return {
        "clean": {name: figures["accuracy"] for name, figures in result["clean"].items()},
        "attacks": {
            name: {
                row: {key: figures[key] for key in ("accuracy", "targeted_success", "untargeted_success")}
                for row, figures in attack["rows"].items()
            }
            for name, attack in result["attacks"].items()
        },
    }

"""Checkpoints of trainings: written whole or not at all, read without unpickling code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.files import whole_file


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` in place of an earlier checkpoint.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the earlier one stays.
    """
    with whole_file(path) as stream:  # a full disk is an OSError only through a stream
        torch.save(state, stream)


def read_checkpoint(path: Path, *, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """What ``write_checkpoint`` wrote; None where the file cannot be read, is damaged or holds something else."""
    try:
        state = torch.load(path, weights_only=True, map_location=device)
    except Exception:  # torch raises many kinds for damaged or unsafe files
        return None
    return state if isinstance(state, dict) else None

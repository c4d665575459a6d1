"""What is kept of an attacked pair beside its pictures, and what it comes to over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import numpy as np

from tools.common.report import Proportion, proportion

CONFIDENT = 0.8


class Said(TypedDict):
    """What the engine says of a pair's pictures on disk, before and after; lists have an entry per picture."""

    pair: int
    attacker: str
    enrolled: bool
    target: str | None
    pictures: list[str]
    named_before: list[str]
    named_after: list[str]
    confidence_before: list[float]
    confidence_after: list[float]
    best_after: list[float]
    success: list[bool]
    confident_success: list[bool]


class Record(Said):
    """A whole result. ``first_fooled`` and what follows it are missing where an earlier version kept it.

    ``frames_named``: whom each photograph that wears the result is taken for, its face found and cut anew; None where
    it is not found.
    """

    iterations: int
    loss_curve: list[float | None]
    confidence_curve: list[float | None]
    torch_confidence: list[float]
    seconds: float
    sha256: dict[str, str]
    first_fooled: NotRequired[int | None]
    frames: NotRequired[list[str | None]]
    frames_named: NotRequired[list[str | None]]
    device: NotRequired[str]


Summary = TypedDict(
    "Summary",
    {
        "pairs": int,
        "success": Proportion,
        "success_at_0.8": Proportion,
        "photographs": Proportion,
        "mean_iterations": float,
        "seconds": float,
    },
)


def summary(records: Sequence[Record]) -> Summary:
    """Success over all attacked pictures and over the photographs that wear the results, and how long it took."""
    success = [value for record in records for value in record["success"]]
    confident = [value for record in records for value in record["confident_success"]]
    worn = [_fooled(record, name) for record in records for name in record.get("frames_named", [])]
    return {
        "pairs": len(records),
        "success": proportion(sum(success), len(success)),
        "success_at_0.8": proportion(sum(confident), len(confident)),
        "photographs": proportion(sum(worn), len(worn)),
        "mean_iterations": round(float(np.mean([record["iterations"] for record in records])), 1),
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }


def _fooled(record: Record, name: str | None) -> bool:
    """Whether a photograph's face, if one is found, is named as the attacker wants it."""
    return name is not None and (name == record["target"] if record["target"] else name != record["attacker"])

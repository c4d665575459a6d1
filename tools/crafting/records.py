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
    """A whole result. ``first_fooled``, ``frames`` and ``device`` are missing where an earlier version kept it."""

    iterations: int
    loss_curve: list[float | None]
    confidence_curve: list[float | None]
    torch_confidence: list[float]
    seconds: float
    sha256: dict[str, str]
    first_fooled: NotRequired[int | None]
    frames: NotRequired[list[str | None]]
    device: NotRequired[str]


Summary = TypedDict(
    "Summary",
    {"pairs": int, "success": Proportion, "success_at_0.8": Proportion, "mean_iterations": float, "seconds": float},
)


def summary(records: Sequence[Record]) -> Summary:
    """Success over all attacked pictures, with Wilson intervals, and how long it took."""
    success = [value for record in records for value in record["success"]]
    confident = [value for record in records for value in record["confident_success"]]
    return {
        "pairs": len(records),
        "success": proportion(sum(success), len(success)),
        "success_at_0.8": proportion(sum(confident), len(confident)),
        "mean_iterations": round(float(np.mean([record["iterations"] for record in records])), 1),
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }

"""Times of things that run in turn, their spread, and their ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import numpy as np

Case = Callable[[], object]


class Spread(TypedDict):
    """Milliseconds (or ratios): median, the middle half's edges, the 95th percentile, how many."""

    p50: float
    p25: float
    p75: float
    p95: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """What the values (at least one) look like."""
    p25, p50, p75, p95 = (float(value) for value in np.percentile(values, (25, 50, 75, 95)))
    return Spread(p50=round(p50, 3), p25=round(p25, 3), p75=round(p75, 3), p95=round(p95, 3), n=len(values))


def paired_ratio(values: Sequence[float], baseline: Sequence[float]) -> Spread:
    """Each value over the baseline's value of the same round: what slows both down at once cancels out."""
    return spread([value / base for value, base in zip(values, baseline, strict=True)])


def in_turn(cases: Mapping[str, Case], *, repeats: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Milliseconds of every case by name; each round runs every case once, in the order given.

    The first ``warm_up`` rounds (allocation, first use of a graph) are not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(warm_up + repeats):
        for name, case in cases.items():
            took = milliseconds(case)
            if round_ >= warm_up:
                times[name].append(took)
    return times


def milliseconds(case: Case) -> float:
    """How long one run takes."""
    started = time.perf_counter()
    case()
    return (time.perf_counter() - started) * 1e3

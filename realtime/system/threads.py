"""How many threads each part of a run gets: one budget, made in one place.

Capture, drawing and showing wait for most of the time and get no threads of their own beyond the one that each
runs in. Detection is a burst of some 20 ms a few times a second and gains little from a second thread. Inference
takes the rest, on small machines every core: leaving one free for detection would halve the decisions for the
five sixths of the time in which detection rests.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import cv2

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MOST_FOR_INFERENCE = 16  # one crop's convolutions hold no work for more


@dataclass(frozen=True)
class ThreadBudget:
    """Threads of the detector and of the recogniser's engine, out of ``cores``."""

    cores: int
    detection: int
    inference: int


def thread_budget(
    *, detection: int | None = None, inference: int | None = None, cores: int | None = None
) -> ThreadBudget:
    """The budget; what is given stays as it is.

    Args:
        detection, inference: threads asked for by the user.
        cores: None counts those that this process may use.
    """
    available = usable_cores() if cores is None else cores
    if detection is None:
        detection = 1 if available < 8 else 2
    if inference is None:
        inference = available if available <= 2 else min(available - 1, MOST_FOR_INFERENCE)
    return ThreadBudget(available, detection, inference)


def usable_cores() -> int:
    """The cores that this process may use: its affinity, and a container's share of the machine (at least 1)."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, _cores_of_quota(_QUOTA)))


def _cores_of_quota(file: Path) -> int:
    """Linux's control groups give "200000 100000" for two cores' worth of time, "max 100000" for no limit."""
    try:
        quota, period = file.read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return 1 << 16


def calm_opencv() -> None:
    """Let OpenCV work in the thread that calls it: its pool wakes every core for a millisecond's work."""
    cv2.setNumThreads(1)

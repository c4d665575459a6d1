"""Looks on while a run is running: what was shown and decided, and what the process uses."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, TypedDict

import psutil

from models.arrays import Bytes
from models.evidence import CropEvidence
from models.policy import Decision
from realtime.histogram import Histogram
from realtime.metrics import Percentiles
from realtime.types import FaceCrop, Frame

#: Upper ends of the classes of ages that are counted, in milliseconds.
AGE_CLASSES = (20, 40, 60, 80, 100, 150, 200, 300, 500, 1000)


def age_class(milliseconds: float) -> str:
    """The class in words."""
    lower = 0
    for upper in AGE_CLASSES:
        if milliseconds < upper:
            return f"{lower}-{upper}"
        lower = upper
    return f"{lower} and more"


class Figures(TypedDict):
    """What a watch counted; rates per second, times in milliseconds, ``fps`` by camera."""

    seconds: float
    captured_fps: dict[str, float]
    displayed_fps: dict[str, float]
    frame_age_ms: Percentiles
    frame_age_classes: dict[str, int]
    decisions: int
    full_decisions: int
    quick_decisions: int
    decisions_per_second: float
    between_decisions_of_a_face_ms: Percentiles
    states: dict[str, int]


class Watch:
    """Told of every picture shown and every decision; counts those after ``warm_up`` and for ``seconds``.

    The clock starts with the first picture. Memory is bounded: a watch must not look like a leak.
    """

    def __init__(self, *, warm_up: float = 0.0, seconds: float = math.inf) -> None:
        self._warm_up, self._seconds = warm_up, seconds
        self._lock = threading.Lock()
        self._begin = math.inf
        self._last = -math.inf
        self._newest: dict[str, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._shown: Counter[str] = Counter()
        self._captured: Counter[str] = Counter()
        self._ages = Histogram()
        self._classes = dict.fromkeys((age_class(0), *map(age_class, AGE_CLASSES)), 0)
        self._gaps = Histogram()
        self._decided_at: dict[tuple[str, int], float] = {}
        self._decided = self._full = 0
        self._verdicts: Counter[str] = Counter()

    def show(self, frame: Frame, picture: Bytes) -> None:
        """A picture was handed to the screen; one that is shown again, for want of a new one, does not count."""
        now = time.monotonic()
        with self._lock:
            if self._begin == math.inf:
                self._begin = now + self._warm_up
            before = self._newest.get(frame.camera)
            if before is not None and frame.index <= before:
                return
            self._newest[frame.camera] = frame.index
            if self._counts(now):
                self._shown[frame.camera] += 1
                self._captured[frame.camera] += frame.index - (before if before is not None else frame.index - 1)
                age = (now - frame.captured_at) * 1e3
                self._ages.add(age)
                self._classes[age_class(age)] += 1

    def decided(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        """A decision was made."""
        now, key = time.monotonic(), (crop.frame.camera, crop.track.track_id)
        with self._lock:
            if self._counts(now):
                self._decided += 1
                self._full += bool(evidence.mask.any())
                self._verdicts[defended.state] += 1
                if key in self._decided_at:
                    self._gaps.add((now - self._decided_at[key]) * 1e3)
                self._decided_at[key] = now
                if len(self._decided_at) > 256:
                    del self._decided_at[next(iter(self._decided_at))]

    def _counts(self, now: float) -> bool:
        inside = self._begin <= now < self._begin + self._seconds
        if inside:
            self._last = now
        return inside

    @property
    def window(self) -> tuple[float, float]:
        """From when to when it counted, ``time.monotonic()``."""
        with self._lock:
            return self._begin, min(self._last, self._begin + self._seconds)

    def figures(self) -> Figures:
        """What was counted so far."""
        begin, end = self.window
        with self._lock:
            seconds = max(end - begin, 1e-9)
            return {
                "seconds": round(max(0.0, end - begin), 2) if self._shown else 0.0,
                "captured_fps": {name: round(count / seconds, 2) for name, count in sorted(self._captured.items())},
                "displayed_fps": {name: round(count / seconds, 2) for name, count in sorted(self._shown.items())},
                "frame_age_ms": percentiles(self._ages),
                "frame_age_classes": dict(self._classes),
                "decisions": self._decided,
                "full_decisions": self._full,
                "quick_decisions": self._decided - self._full,
                "decisions_per_second": round(self._decided / seconds, 2),
                "between_decisions_of_a_face_ms": percentiles(self._gaps),
                "states": dict(self._verdicts),
            }

    def take_ages(self) -> Percentiles:
        """The frame ages since the last call."""
        with self._lock:
            taken, self._ages = self._ages, Histogram()
        return percentiles(taken)


@dataclass(frozen=True)
class Sample:
    """What the process used at a moment; ``cpu`` is its processor time so far, in seconds."""

    at: float
    cpu: float
    rss_mb: float
    threads: int
    files: int


class Sampler:
    """Takes a sample every so many seconds in a thread of its own. Use as a context manager."""

    def __init__(self, every: float = 0.25, on_sample: Any = None) -> None:
        self.samples: list[Sample] = []
        self._every, self._on_sample = every, on_sample
        self._process = psutil.Process()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(2.0)

    def sample(self) -> Sample:
        """Now."""
        times = self._process.cpu_times()
        return Sample(
            at=time.monotonic(),
            cpu=times.user + times.system,
            rss_mb=self._process.memory_info().rss / 1e6,
            threads=self._process.num_threads(),
            files=getattr(self._process, "num_fds", getattr(self._process, "num_handles", int))(),
        )

    def within(self, begin: float, end: float) -> list[Sample]:
        """The samples of a time."""
        return [sample for sample in self.samples if begin <= sample.at <= end]

    def _work(self) -> None:
        while not self._stopping.wait(self._every):
            self.samples.append(self.sample())
            if self._on_sample is not None:
                self._on_sample(self.samples[-1])


def percentiles(histogram: Histogram) -> Percentiles:
    """p50, p95 and p99, rounded to a tenth."""
    p50, p95, p99 = (histogram.percentile(percent) for percent in (50, 95, 99))
    return Percentiles(p50=_tenth(p50), p95=_tenth(p95), p99=_tenth(p99))


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)

"""What is counted is what happened."""

import json
import math
import time

import numpy as np
import psutil
import pytest

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.types import DetectedFace, FaceCrop, Frame, TrackedFace
from tools.bench import watch


def face_crop(frame: Frame, track: int = 1) -> FaceCrop:
    face = DetectedFace(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return FaceCrop(TrackedFace(track, face), frame, np.zeros((2, 2, 3), np.uint8))


def test_a_watch_counts_new_pictures_and_decisions_within_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(watch.time, "monotonic", lambda: now)
    seen = watch.Watch(warm_up=1.0, seconds=2.0)
    picture = np.zeros((2, 2, 3), np.uint8)
    known = Decision.known("Ada", 0.9)
    masked, bare = (
        CropEvidence(("Ada",), *(np.zeros(1, np.float32),) * 2, mask, picture, np.zeros(1, np.float32), picture, ())  # type: ignore[arg-type]
        for mask in (np.ones((2, 2), bool), np.zeros((2, 2), bool))
    )
    for step in range(100):  # four seconds of every second picture of a camera with 50 fps, shown 40 ms later
        now = 100.0 + step * 0.04
        frame = Frame("door", 2 * step, picture, now - 0.040, 0.0)
        seen.show(frame, picture)
        seen.show(frame, picture)  # again, for want of a new one
        if step % 5 == 0:
            seen.decided(face_crop(frame), masked if step % 10 else bare, known, known)
    figures = seen.figures()
    assert figures["displayed_fps"]["door"] == pytest.approx(25, abs=0.6)
    assert figures["captured_fps"]["door"] == pytest.approx(50, abs=1.2)
    assert figures["frame_age_ms"]["p95"] == pytest.approx(40, rel=0.01)
    assert figures["decisions_per_second"] == pytest.approx(5, abs=0.3)
    assert figures["full_decisions"] + figures["quick_decisions"] == figures["decisions"] == 10
    assert figures["full_decisions"] == 5
    assert figures["between_decisions_of_a_face_ms"]["p50"] == pytest.approx(200, rel=0.02)


def test_a_watch_that_saw_nothing_says_nothing() -> None:
    figures = watch.Watch().figures()
    assert (figures["seconds"], figures["decisions"], figures["displayed_fps"]) == (0.0, 0, {})
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_samples_tell_what_the_process_uses() -> None:
    with watch.Sampler(0.02) as sampler:
        ballast = np.ones(60_000_000, np.uint8)
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            ballast.sum()
    first, last = sampler.samples[0], sampler.samples[-1]
    assert last.cpu - first.cpu > 0.05
    assert last.rss_mb == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.3)
    assert sampler.within(math.inf, math.inf) == []

"""From a frame to crops: when detection runs, and when faces are followed only."""

import time
from dataclasses import replace

import numpy as np
import pytest

from models.arrays import Bytes
from models.crop.pose import template
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.track import FaceTracker
from realtime.types import DetectedFace, Frame


class CountedDetector:
    """Finds nothing, and takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.seen: list[int] = []

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        time.sleep(self.seconds)
        self.seen.append(int(bgr[0, 0, 0]))
        return []


def frame(index: int, height: int = 64) -> Frame:
    return Frame("door", index, np.full((height, 64, 3), index, np.uint8), index / 25, 0.0)


def finder(detector: CountedDetector, **settings: float) -> FaceFinder:
    return FaceFinder(detector, FaceTracker(), size=32, limits=QualityLimits(), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("every", "seen"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6])])
def test_detection_runs_on_every_nth_frame(every: int, seen: list[int]) -> None:
    detector = CountedDetector()
    found = finder(detector, detect_every=every)
    timed = [index for index in range(7) if "detect" in found.find(frame(index)).stage_ms]
    assert detector.seen == timed == seen


def test_a_slow_detection_rests_so_that_it_takes_no_more_than_its_share() -> None:
    detector = CountedDetector(seconds=0.02)
    found = finder(detector, share=0.25)
    started, index = time.perf_counter(), 0
    while time.perf_counter() - started < 0.5:
        found.find(frame(index % 250))
        time.sleep(0.005)
        index += 1
    assert 2 <= len(detector.seen) <= 7  # every 80 ms; at each of some 70 frames otherwise
    assert index > 20


def test_a_new_resolution_is_searched_at_once() -> None:
    detector = CountedDetector()
    found = finder(detector, detect_every=10)
    found.find(frame(0))
    found.find(frame(1))
    found.find(frame(2, height=80))
    assert detector.seen == [0, 2]


def test_no_track_goes_over_from_a_drill_to_what_is_real() -> None:
    class Found(CountedDetector):
        def detect(self, bgr: Bytes) -> list[DetectedFace]:
            return [DetectedFace(np.array([8, 8, 56, 56], np.float32), template(48) + np.float32(8), 1.0)]

    found = finder(Found())
    tracks = []
    for index in range(12):
        worn = replace(frame(index), drill=4 <= index < 8)
        tracks.append({crop.track.track_id for crop in found.find(worn).crops})
    before, within, after = (set().union(*tracks[first : first + 4]) for first in (0, 4, 8))
    assert before
    assert within
    assert after
    assert not before & within
    assert not within & after

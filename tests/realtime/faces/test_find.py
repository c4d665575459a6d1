"""From a frame to crops: when detection runs, and when faces are followed only."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import skimage.data

from models.arrays import Bytes
from models.crop.pose import template
from realtime.cameras.demo_scene import LANDMARKS as FOUND
from realtime.faces.align import crop_face, similarity
from realtime.faces.detect import FaceDetector
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.realign import Realigner
from realtime.faces.track import FaceTracker
from realtime.types import DetectedFace, Frame

PORTRAIT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
LANDMARKS = FOUND.astype(np.float64)


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


def finder(detector: FaceDetector, **settings: Any) -> FaceFinder:
    return FaceFinder(detector, FaceTracker(), limits=QualityLimits(), **{"size": 32, **settings})


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


class Portrait:
    """Finds the face of the one picture, as often as it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        self.asked += 1
        box = np.concatenate([LANDMARKS.min(axis=0) - 40, LANDMARKS.max(axis=0) + 40])
        return [DetectedFace(box.astype(np.float32), LANDMARKS.astype(np.float32), 1.0)]


def shown(index: int, picture: Bytes = PORTRAIT) -> Frame:
    return Frame("door", index, picture, index / 25, 0.0)


def test_while_every_face_is_followed_it_is_searched_now_and_then_only() -> None:
    detector = Portrait()
    found = finder(detector, calm=0.2)
    timed = [index for index in range(18) if "detect" in found.find(shown(index)).stage_ms]
    assert timed == [0, 1, 6, 11, 16]  # a track begins with its second search


def test_a_face_that_cannot_be_followed_is_searched_at_once() -> None:
    detector = Portrait()
    found = finder(detector, calm=10.0)
    for index in range(4):
        found.find(shown(index))
    assert detector.asked == 2
    assert found.find(shown(4, np.zeros_like(PORTRAIT))).crops == ()
    found.find(shown(5))
    assert detector.asked == 3


def test_what_the_second_look_found_goes_along_while_the_face_is_followed() -> None:
    class Counted(Realigner):
        calls = 0

        def crop(self, *given: Any) -> Any:
            self.calls += 1
            return super().crop(*given)

    pulled = LANDMARKS + np.array([34 / similarity(LANDMARKS, 224)[0, 0], 0])
    realigner, detector = Counted(), Portrait()
    detector.detect = lambda bgr: [  # type: ignore[method-assign]
        DetectedFace(
            np.concatenate([pulled.min(axis=0) - 40, pulled.max(axis=0) + 40]).astype(np.float32),
            pulled.astype(np.float32),
            1.0,
        )
    ]
    found = finder(detector, calm=10.0, size=112, realigner=realigner)
    crops = [found.find(shown(index)).crops for index in range(5)]
    looked = realigner.calls
    moved = np.roll(PORTRAIT, 3, axis=1)
    after = found.find(shown(5, moved)).crops[0]
    assert looked == realigner.calls == 1
    assert not after.track.detected
    misled = crop_face(PORTRAIT, pulled, 112).astype(int)
    np.testing.assert_allclose(after.pixels, crops[1][0].pixels, atol=40)
    assert np.abs(after.pixels - crops[1][0].pixels.astype(int)).mean() < 3 < 10 < np.abs(after.pixels - misled).mean()


def test_a_face_that_is_known_is_sought_again_once_a_second_and_looked_after_in_between() -> None:
    class Counted(Realigner):
        sought = looked_after = 0

        def crop(self, *given: Any) -> Any:
            self.sought += 1
            return super().crop(*given)

        def look_after(self, *given: Any) -> Any:
            self.looked_after += 1
            return super().look_after(*given)

    realigner = Counted()
    found = finder(Portrait(), detect_every=1, size=112, realigner=realigner)
    crops = [crop for index in range(38) for crop in found.find(shown(index)).crops]
    assert all(crop.track.detected for crop in crops)
    assert len(crops) > 30
    assert realigner.sought == 2
    assert realigner.looked_after == len(crops) - 2


@pytest.mark.parametrize(("share", "rests"), [(1.0, 0.0), (0.25, 0.06)])
def test_following_rests_so_that_it_takes_no_more_than_its_share(share: float, rests: float) -> None:
    found = finder(Portrait(), follow_share=share)
    found.find(shown(0))

    class Slow(FaceTracker):
        def carry(self, frame: Frame) -> list[Any]:
            time.sleep(0.02)
            return []

    found._tracker, found._frames_to_go = Slow(), 5
    found.find(shown(1))
    ended = time.perf_counter()
    while found.resting:
        time.sleep(0.001)
    assert rests <= time.perf_counter() - ended + 0.005 < rests + 0.5


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

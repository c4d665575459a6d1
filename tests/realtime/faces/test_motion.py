"""Detection is skipped only where it could find nothing new."""

import numpy as np
import pytest

from realtime.cameras.demo_scene import DemoScene
from realtime.faces.find import FaceFinder
from realtime.faces.motion import MotionGate
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.quality import QualityLimits
from realtime.faces.track import FaceTracker
from realtime.types import Bytes, DetectedFace, Frame


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(worn=np.zeros((32, 32, 4), np.uint8))


def noisy(picture: Bytes, seed: int) -> Bytes:
    """With the noise of a sensor in a dim room."""
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_noise_is_no_motion(scene: DemoScene) -> None:
    gate, picture = MotionGate(), scene.frame(0)
    assert not gate.is_still(noisy(picture, 0), 0.0)
    gate.searched(0.0)
    assert all(gate.is_still(noisy(picture, step), step / 25) for step in range(1, 20))


def test_a_small_far_face_that_appears_is_motion(scene: DemoScene) -> None:
    gate, empty = MotionGate(), np.full((480, 640, 3), 90, np.uint8)
    gate.is_still(empty, 0.0)
    gate.searched(0.0)
    x, y = scene.landmarks(0).mean(axis=0).astype(int)
    face = scene.frame(0)[y - 80 : y + 80, x - 80 : x + 80][::4, ::4]  # a face of some 40 pixels
    entered = empty.copy()
    entered[100:140, 300:340] = face
    assert not gate.is_still(entered, 0.04)


def test_a_slow_change_adds_up_until_it_counts() -> None:
    gate, searched = MotionGate(), []
    for step in range(24):  # one grey level per frame, in one corner
        picture = np.full((64, 64, 3), 100, np.uint8)
        picture[:16, :16] += step
        if not gate.is_still(picture, step / 25):
            gate.searched(step / 25)
            searched.append(step)
    assert searched == [0, 6, 12, 18]


def test_a_still_scene_is_searched_again_after_a_second() -> None:
    gate, picture = MotionGate(), np.full((64, 64, 3), 100, np.uint8)
    searched = []
    for step in range(60):
        if not gate.is_still(picture, step / 25):
            gate.searched(step / 25)
            searched.append(step)
    assert searched == [0, 25, 50]


class Counted:
    """A detector that counts how often it is asked."""

    def __init__(self) -> None:
        self._detector = MtcnnOnnxDetector(min_face=80)
        self.asked: list[int] = []
        self.index = 0

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        self.asked.append(self.index)
        return self._detector.detect(bgr)


def test_a_still_face_keeps_its_track_without_detection_and_a_moving_one_is_detected(scene: DemoScene) -> None:
    detector = Counted()
    finder = FaceFinder(detector, FaceTracker(), size=32, limits=QualityLimits(), motion=MotionGate())
    tracks = []
    for step in range(40):
        moment = 0 if step < 20 else 4 * (step - 20)
        detector.index = step
        found = finder.find(Frame("door", step, noisy(scene.frame(moment), step), step / 25, 0.0))
        tracks.append([crop.track.track_id for crop in found.crops])
    still = [step for step in detector.asked if step < 20]
    assert len(still) <= 4  # until the face has its track, then not within the same second
    assert len(detector.asked) - len(still) >= 12
    assert all(one == tracks[5] != [] for one in tracks[5:])

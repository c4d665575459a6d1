"""Detection is skipped only where it could find nothing new."""

import numpy as np
import pytest

from models.arrays import Bytes
from realtime.cameras.demo_scene import DemoScene
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.motion import MotionGate, Region
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.track import FaceTracker
from realtime.types import DetectedFace, Frame


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(worn=np.zeros((32, 32, 4), np.uint8))


def noisy(picture: Bytes, seed: int) -> Bytes:
    """With the noise of a sensor in a dim room."""
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


class Counted:
    """A detector that counts how often it is asked."""

    def __init__(self) -> None:
        self._detector = MtcnnOnnxDetector(min_face=80)
        self.asked: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self.index = 0

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        self.asked.append(self.index)
        self.shapes.append(bgr.shape)
        return self._detector.detect(bgr)


def search(gate: MotionGate, picture: Bytes, at: float) -> Region | None:
    """What the gate says, which is then done."""
    region = gate.changed(picture, at)
    if region is not None:
        gate.searched(region, at, picture.shape)
    return region


def test_noise_is_no_motion(scene: DemoScene) -> None:
    gate, picture = MotionGate(), scene.frame(0)
    height, width = picture.shape[:2]
    assert search(gate, noisy(picture, 0), 0.0) == (0, 0, width, height)
    assert all(search(gate, noisy(picture, step), step / 25) is None for step in range(1, 20))


def test_where_a_small_far_face_appears_is_searched_and_hardly_more(scene: DemoScene) -> None:
    gate, empty = MotionGate(), np.full((480, 640, 3), 90, np.uint8)
    search(gate, empty, 0.0)
    x, y = scene.landmarks(0).mean(axis=0).astype(int)
    face = scene.frame(0)[y - 80 : y + 80, x - 80 : x + 80][::4, ::4]  # a face of some 40 pixels
    entered = empty.copy()
    entered[100:140, 300:340] = face
    found = search(gate, entered, 0.04)
    assert found is not None
    x1, y1, x2, y2 = found
    assert max(x1 - 300, y1 - 100) <= -60
    assert min(x2 - 340, y2 - 140) >= 60
    assert (x2 - x1) * (y2 - y1) < 0.15 * 480 * 640
    assert search(gate, entered, 0.08) is None  # it has been searched


def test_what_changes_outside_the_searched_part_is_not_forgotten() -> None:
    gate, picture = MotionGate(), np.full((400, 400, 3), 100, np.uint8)
    search(gate, picture, 0.0)
    picture[:16, :16] += 20
    picture[384:, 384:] += 20
    assert gate.changed(picture, 0.04) == (0, 0, 400, 400)  # the box around both is the whole picture
    gate.searched((0, 0, 56, 56), 0.04, picture.shape)  # but only one of them is looked at
    assert gate.changed(picture, 0.08) == (344, 344, 400, 400)


def test_a_slow_change_adds_up_until_it_counts() -> None:
    gate, searched = MotionGate(), []
    for step in range(24):  # one grey level per frame, in one corner
        picture = np.full((64, 64, 3), 100, np.uint8)
        picture[:16, :16] += step
        if search(gate, picture, step / 25):
            searched.append(step)
    assert searched == [0, 6, 12, 18]


def test_a_still_scene_is_searched_again_after_a_second() -> None:
    gate, picture = MotionGate(), np.full((64, 64, 3), 100, np.uint8)
    assert [step for step in range(60) if search(gate, picture, step / 25)] == [0, 25, 50]


def test_motion_elsewhere_is_searched_for_itself_and_a_still_face_keeps_its_track(scene: DemoScene) -> None:
    """Someone walks by on the right of a wide picture; on the left a face stays where it is."""
    detector = Counted()
    finder = FaceFinder(detector, FaceTracker(), size=32, limits=QualityLimits(), motion=MotionGate())
    still = scene.frame(0)
    width = still.shape[1]
    tracks = []
    for step in range(24):
        picture = np.concatenate([still, np.full_like(still, 90), np.full_like(still, 90)], axis=1)
        picture[200:260, 2 * width + 10 * step : 2 * width + 10 * step + 60] = (20, 20, 160)
        detector.index = step
        tracks.append([c.track.track_id for c in finder.find(Frame("hall", step, picture, step / 25, 0.0)).crops])
    parts = [shape for shape in detector.shapes if shape[1] < width]
    assert len(detector.shapes) == 24
    assert len(parts) >= 20
    assert all(one == tracks[5] != [] for one in tracks[5:])


def test_a_face_that_moves_is_found_in_its_part_of_the_picture_at_least_as_well(scene: DemoScene) -> None:
    detector = Counted()
    finder = FaceFinder(detector, FaceTracker(), size=32, limits=QualityLimits(), motion=MotionGate())
    whole = FaceFinder(Counted(), FaceTracker(), size=32, limits=QualityLimits())
    errors: tuple[list[float], list[float]] = ([], [])
    for step in range(20):
        picture = scene.frame(3 * step)
        picture = np.concatenate([picture, np.full_like(picture, 90), np.full_like(picture, 90)], axis=1)
        frame = Frame("hall", step, picture, step / 25, 0.0)
        found, wanted = finder.find(frame).crops, whole.find(frame).crops
        assert len(found) == len(wanted)
        for crops, one in zip((found, wanted), errors, strict=True):
            one += [float(np.abs(crop.track.face.landmarks - scene.landmarks(3 * step)).max()) for crop in crops]
    assert min(shape[1] for shape in detector.shapes) < picture.shape[1]
    assert np.median(errors[0]) <= np.median(errors[1])  # a part need not be shrunk as far as the whole
    assert max(errors[0]) < 8


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

"""Glasses worn on whole photographs: against the crop that tools.prepare makes of the same picture."""

import cv2
import numpy as np
import pytest
import skimage.data

from models.crop.wearables import frame_mask, innocent
from models.errors import BadInput
from realtime.faces.detect import MtcnnDetector
from realtime.people.crops import crop_of
from realtime.types import DetectedFace
from tools.attacks.batch import MASK_LEVEL
from tools.attacks.settings import Settings
from tools.crafting.attacked_faces import Attacked
from tools.evaluation.photographs import Camera, attacked_photographs, innocent_photographs

SIZE = 112
PICTURE = "Eileen_Collins/portrait.png"  # the crop's name: that of the photograph and .png


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Camera:
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "Eileen_Collins").mkdir()
    portrait = np.ascontiguousarray(skimage.data.astronaut()[:300, 80:380, ::-1])
    (folder / "Eileen_Collins" / "portrait").write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    return Camera(folder, MtcnnDetector(min_face=40), None, SIZE)


@pytest.fixture(scope="module")
def crop(camera) -> np.ndarray:
    picture = cv2.imread(str(camera.folder / "Eileen_Collins" / "portrait"))
    return crop_of(picture, camera.detector, SIZE)[0]


def test_without_glasses_the_camera_sees_the_prepared_crop(camera, crop):
    seen = camera.take(PICTURE, np.zeros((SIZE, SIZE, 4), np.uint8))
    np.testing.assert_array_equal(seen, crop)


def test_with_plain_glasses_their_colour_lies_where_they_are_drawn(camera, crop):
    seen = camera.take(PICTURE, innocent((255, 0, 255), "wide", SIZE)).astype(int)
    inner = frame_mask("wide", SIZE) == frame_mask("wide", SIZE).max()
    magenta = (seen[..., 0] > 180) & (seen[..., 1] < 80) & (seen[..., 2] > 180)
    assert magenta[inner].mean() > 0.7  # the landmarks may move a little with the glasses on
    assert magenta[frame_mask("wide", SIZE) == 0].mean() < 0.05


def test_attacked_faces_whose_glasses_hide_them_are_counted_as_lost(camera, crop):
    class SeesOnce:
        """Finds the first face and then no other."""

        def __init__(self) -> None:
            self.calls = 0

        def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
            self.calls += 1
            return camera.detector.detect(bgr) if self.calls <= 3 else []

    faces = Attacked(
        "sharif",
        Settings(),
        originals=np.stack([crop, crop]),
        adversarial=np.stack([crop, crop]),
        labels=np.array([0, 0]),
        targets=np.array([1, 2]),
        region=frame_mask("classic", SIZE) >= MASK_LEVEL,
        records=({"pictures": [PICTURE]}, {"pictures": [PICTURE]}),
    )
    seen, lost = attacked_photographs(camera, faces)
    assert lost.tolist() == [False, False]
    assert np.abs(seen.adversarial[0].astype(int) - crop).mean() < 12  # its own pixels, worn
    seen, lost = attacked_photographs(Camera(camera.folder, SeesOnce(), None, SIZE), faces)
    assert lost.tolist() == [False, True]
    assert seen.targets.tolist() == [1]
    with pytest.raises(BadInput, match="no face is found on any of them"):
        innocent_photographs(Camera(camera.folder, SeesNothing(), None, SIZE), [PICTURE], np.array([0]), 0)


class SeesNothing:
    def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
        return []


def test_a_photograph_that_is_not_there_is_told(camera):
    with pytest.raises(BadInput, match="cannot be read; give the folder that was prepared"):
        camera.take("Nobody/1.jpg.png", np.zeros((SIZE, SIZE, 4), np.uint8))


def test_innocent_glasses_are_drawn_alike_for_the_same_seed(camera):
    first, labels, lost = innocent_photographs(camera, [PICTURE, PICTURE], np.array([3, 4]), seed=1)
    again, _, _ = innocent_photographs(camera, [PICTURE, PICTURE], np.array([3, 4]), seed=1)
    np.testing.assert_array_equal(first, again)
    assert labels.tolist() == np.array([3, 4])[~lost].tolist()
    assert len(first) == (~lost).sum() > 0
    other, _, _ = innocent_photographs(camera, [PICTURE, PICTURE], np.array([3, 4]), seed=3)
    assert (other[0] != first[0]).any()

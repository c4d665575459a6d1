"""Which pictures a face is learnt from, and the reason that a person can mend."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from models.crop.wearables import innocent
from realtime.faces.limits import QualityLimits
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.wear import wear
from realtime.people.judge import GoodFace, Judge, sharpest
from realtime.people.sources import Shot, Skipped

FACE = np.ascontiguousarray(astronaut()[:300, 100:400, ::-1])


def masked() -> np.ndarray:
    """The face in a blue mask of cloth."""
    landmarks = np.array(((105, 102), (147, 104), (125, 129), (102, 141), (145, 142)), np.float32)
    return wear(FACE, landmarks, innocent("blue", "face_mask", 112))


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(MtcnnOnnxDetector(min_face=24), 112, limits=QualityLimits())


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.full((200, 200, 3), 90, np.uint8), "no face found"),
        (np.hstack([FACE, FACE]), "2 faces of about one size"),
        (cv2.resize(FACE, (75, 75), interpolation=cv2.INTER_AREA), "too small"),
        (cv2.GaussianBlur(FACE, (0, 0), 6), "blurred"),
        ((FACE * 0.12).astype(np.uint8), "too dark"),
        (masked(), "the mouth is covered: take it off"),
    ],
    ids=["empty", "two", "small", "blurred", "dark", "masked"],
)
def test_a_picture_that_is_not_good_enough_is_refused_in_clear_words(
    judge: Judge, picture: np.ndarray, said: str
) -> None:
    found = judge.look(Shot("p.jpg", np.ascontiguousarray(picture), "d"))
    assert isinstance(found, Skipped)
    assert said in found.reason


def test_a_good_picture_gives_the_face_upright_whichever_way_it_lies(judge: Judge) -> None:
    upright, turned = (judge.look(Shot("p.jpg", picture, "d")) for picture in (FACE, FACE[::-1, ::-1].copy()))
    assert isinstance(upright, GoodFace)
    assert isinstance(turned, GoodFace)
    assert upright.crop.shape == (112, 112, 3)
    assert np.abs(upright.crop.astype(int) - turned.crop).mean() < 15


def test_of_a_film_the_sharpest_are_taken_and_every_picture_beside_it() -> None:
    crop = np.zeros((4, 4, 3), np.uint8)
    film = [GoodFace(str(n), crop, str(n), n / 10, moving=True) for n in (3, 1, 2)]
    still = GoodFace("still", crop, "s", 0.0)
    assert [face.name for face in sharpest([*film, still], most=2)] == ["3", "2", "still"]

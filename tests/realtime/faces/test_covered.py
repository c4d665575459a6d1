"""What of a face is covered."""

import numpy as np
import pytest
from skimage.data import astronaut

from models.crop.wearables import frame_mask, paint
from realtime.faces.align import crop_face
from realtime.faces.covered import covered
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    bgr = np.ascontiguousarray(astronaut()[:300, 100:400, ::-1])
    return crop_face(bgr, MtcnnOnnxDetector(min_face=40).detect(bgr)[0].landmarks, 112)


def test_a_bare_face_is_not(face: np.ndarray) -> None:
    assert covered(face) is None


@pytest.mark.parametrize(
    ("worn", "part"), [("sunglasses_filled", "eyes"), ("face_mask", "mouth"), ("sunglasses", None), ("wide", None)]
)
@pytest.mark.parametrize("colour", [(20, 20, 22), (90, 120, 180), (238, 238, 235)])
def test_dark_glass_and_cloth_are_found_and_frames_alone_are_not(
    face: np.ndarray, worn: str, part: str | None, colour: tuple[int, int, int]
) -> None:
    assert covered(paint(face, frame_mask(worn, 112), np.array(colour, np.uint8))) == part

"""YuNet beside MTCNN on the same portrait; the file is not ours to ship, so most of it runs only where it lies."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import BadInput
from realtime.faces.yunet import YuNetDetector

DETECTORS = Path(__file__).parents[4] / "shared" / "detectors"
FILES = sorted(DETECTORS.glob("*yunet*.onnx"))
needs_the_file = pytest.mark.skipif(not FILES, reason="no YuNet file beside the project (shared/detectors)")


@needs_the_file
@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_yunet_and_the_eye_agree_about_the_astronaut(astronaut, astronaut_landmarks, scale):
    faces = YuNetDetector(FILES[0]).detect(cv2.resize(astronaut, None, fx=scale, fy=scale))
    assert len(faces) == 1
    np.testing.assert_allclose(faces[0].landmarks / scale, astronaut_landmarks, atol=7)


@needs_the_file
def test_yunets_landmarks_run_image_left_first(astronaut):
    left_eye, right_eye, _, left_mouth, right_mouth = YuNetDetector(FILES[0]).detect(astronaut)[0].landmarks
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]


@needs_the_file
def test_yunet_finds_nothing_where_nothing_is():
    detector = YuNetDetector(FILES[0])
    assert detector.detect(np.full((240, 320, 3), 127, np.uint8)) == []
    assert detector.detect(np.zeros((5, 5, 3), np.uint8)) == []


@needs_the_file
def test_yunet_drops_faces_below_the_smallest(astronaut):
    assert YuNetDetector(FILES[0], min_face=160).detect(astronaut) == []


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(BadInput, match="no such file") as caught:
        YuNetDetector(tmp_path / "yunet.onnx")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_network_is_one_clear_line(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(BadInput, match="cannot run it as YuNet"):
        YuNetDetector(path)

"""Faces followed by optical flow, against movements that the test itself makes."""

import cv2
import numpy as np
import pytest

from realtime.faces.flow import follow
from realtime.types import DetectedFace


@pytest.fixture
def face(astronaut_landmarks):
    return DetectedFace(box=np.array([181, 62, 268, 172], np.float32), landmarks=astronaut_landmarks, score=0.99)


def grey(picture):
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"), [(0, 1, (0, 0)), (0, 1, (14.5, -9.25)), (5, 1.06, (-6, 8)), (-7, 0.93, (10, 3))]
)
def test_a_face_is_followed_where_the_picture_moves(astronaut, face, degrees, scale, shift):
    movement = cv2.getRotationMatrix2D((224, 117), degrees, scale)
    movement[:, 2] += shift
    after = cv2.warpAffine(astronaut, movement, (512, 512))
    moved = follow(face, grey(astronaut), grey(after))
    assert moved is not None
    expected = face.landmarks @ movement[:, :2].T + movement[:, 2]
    np.testing.assert_allclose(moved.landmarks, expected, atol=0.7)
    assert (moved.box[2] - moved.box[0]) / 87 == pytest.approx(scale, abs=0.02)
    assert moved.score == face.score


def test_a_large_face_is_followed_at_its_own_scale(astronaut, face):
    large = cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    after = np.roll(large, (24, -36), axis=(0, 1))
    moved = follow(DetectedFace(face.box * 4, face.landmarks * 4, 0.9), grey(large), grey(after))
    np.testing.assert_allclose(moved.landmarks, face.landmarks * 4 + (-36, 24), atol=2)


def test_small_steps_do_not_add_up_to_a_drift(astronaut, face):
    before, moved = grey(astronaut), face
    for step in range(1, 21):
        movement = np.array([[1, 0, 1.7 * step], [0, 1, -0.9 * step]])
        after = grey(cv2.warpAffine(astronaut, movement, (512, 512)))
        moved = follow(moved, before, after)
        before = after
    np.testing.assert_allclose(moved.landmarks, face.landmarks + np.array((34, -18)), atol=2.5)


def test_a_face_is_not_followed_into_another_picture(astronaut, face):
    other = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    assert follow(face, grey(astronaut), other) is None
    assert follow(face, grey(astronaut), np.full((512, 512), 90, np.uint8)) is None


def test_a_face_is_not_followed_into_a_frame_of_another_size(astronaut, face):
    assert follow(face, grey(astronaut), grey(astronaut)[:400]) is None


def test_a_face_outside_the_frame_is_not_followed(astronaut, face):
    outside = DetectedFace(face.box + 1000, face.landmarks + 1000, 0.9)
    assert follow(outside, grey(astronaut), grey(astronaut)) is None

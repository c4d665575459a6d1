"""MTCNN on a real portrait: places read off by eye, other sizes, and pictures without a face."""

import cv2
import numpy as np
import pytest
import torch

from realtime.faces.detect import MtcnnDetector, shrink, to_faces, torch_threads


@pytest.fixture(scope="module")
def detector():
    return MtcnnDetector()


def test_the_astronauts_face_is_found_where_it_is(detector, astronaut, astronaut_landmarks):
    faces = detector.detect(astronaut)
    assert len(faces) == 1
    assert faces[0].score > 0.99
    np.testing.assert_allclose(faces[0].landmarks, astronaut_landmarks, atol=4)
    x1, y1, x2, y2 = faces[0].box
    assert (faces[0].landmarks > (x1, y1)).all()
    assert (faces[0].landmarks < (x2, y2)).all()


def test_landmarks_run_image_left_first(detector, astronaut):
    left_eye, right_eye, nose, left_mouth, right_mouth = detector.detect(astronaut)[0].landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_a_large_frame_is_shrunk_and_the_answer_scaled_back(detector, astronaut, astronaut_landmarks):
    large = cv2.resize(astronaut, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    faces = detector.detect(large)
    assert len(faces) == 1
    np.testing.assert_allclose(faces[0].landmarks / 3, astronaut_landmarks, atol=4)


def test_two_faces_come_largest_first(detector, astronaut):
    canvas = np.full((480, 640, 3), 90, dtype=np.uint8)
    canvas[60:230, 20:190] = cv2.resize(astronaut[20:240, 110:330], (170, 170))
    canvas[100:360, 320:580] = cv2.resize(astronaut[20:240, 110:330], (260, 260))
    faces = detector.detect(canvas)
    assert len(faces) == 2
    assert faces[0].landmarks[:, 0].mean() > 320 > faces[1].landmarks[:, 0].mean()


@pytest.mark.parametrize("shape", [(480, 640), (39, 400), (15, 15), (1, 1)])
def test_a_picture_without_a_face_gives_none(detector, shape):
    assert detector.detect(np.full((*shape, 3), 127, dtype=np.uint8)) == []


def test_noise_gives_no_face_and_no_error(detector):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert detector.detect(noise) == []


def test_a_face_below_the_smallest_is_not_looked_for(astronaut):
    assert MtcnnDetector(min_face=160).detect(astronaut) == []


def test_detecting_leaves_the_number_of_torch_threads_alone(detector, astronaut):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        detector.detect(astronaut)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_number_of_threads_comes_back_after_an_error():
    before = torch.get_num_threads()
    within = []

    def fail():
        with torch_threads(before + 1):
            within.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert within == [before + 1]
    assert torch.get_num_threads() == before


def test_shrinking_limits_the_longer_side_and_leaves_small_pictures():
    picture, scale = shrink(np.zeros((1000, 2000, 3), np.uint8), 640)
    assert picture.shape == (320, 640, 3)
    assert scale == pytest.approx(0.32)
    small = np.zeros((480, 640, 3), np.uint8)
    assert shrink(small, 640)[0] is small


def test_coordinates_are_scaled_about_pixel_centres():
    # Halved: small pixel 10 averages frame pixels 20 and 21, so its centre lies at 20.5.
    points = np.array([[(10, 10), (12, 10), (11, 11), (10, 12), (12, 12)]], dtype=object)
    faces = to_faces(
        np.array([[9, 9, 13, 13]], dtype=object), points, np.array([0.95]), scale=0.5, threshold=0.9, min_face=1
    )
    assert faces[0].landmarks[0].tolist() == [20.5, 20.5]
    assert faces[0].box.tolist() == [18.5, 18.5, 26.5, 26.5]
    assert faces[0].box.dtype == np.float32


def test_unsure_faces_and_collapsed_landmarks_are_dropped():
    boxes = np.tile([0.0, 0.0, 9.0, 9.0], (3, 1))
    good = np.array([(2, 2), (6, 2), (4, 4), (2, 6), (6, 6)], dtype=float)
    points = np.stack([good, good, np.full((5, 2), 3.0)])
    faces = to_faces(boxes, points, np.array([0.95, 0.85, 0.99]), scale=1, threshold=0.9, min_face=1)
    assert [face.score for face in faces] == [0.95]


@pytest.mark.parametrize("wrong", [{"min_face": 0}, {"working_size": 10}, {"threshold": 1.5}, {"threads": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MtcnnDetector(**wrong)

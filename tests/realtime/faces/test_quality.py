"""The quality gate: geometry against hand-made faces, sharpness against a real one and against theory."""

import cv2
import numpy as np
import pytest

from models.crop.pose import template
from realtime.faces.align import crop_face
from realtime.faces.quality import (
    REASONS,
    QualityLimits,
    refusal,
    share_inside,
    sharpness,
    side_in_frame,
    side_offset,
    tilt,
    turn,
)


def gate(frame: np.ndarray, landmarks: np.ndarray, limits: QualityLimits | None = None) -> str | None:
    return refusal(crop_face(frame, landmarks, 112), landmarks, frame.shape, limits)


def test_a_good_face_passes(astronaut, astronaut_landmarks):
    assert gate(astronaut, astronaut_landmarks) is None


def test_a_far_face_is_too_small(astronaut, astronaut_landmarks):
    small = cv2.resize(astronaut, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    assert gate(small, astronaut_landmarks * 0.4) == "too small"


def test_a_face_just_large_enough_is_not_called_blurred(astronaut, astronaut_landmarks):
    scale = 57 / side_in_frame(astronaut_landmarks)
    small = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert gate(small, astronaut_landmarks * scale) is None


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_a_face_at_the_frames_edge_is_cut_off(astronaut, astronaut_landmarks, side):
    (x1, y1), (x2, y2) = astronaut_landmarks.min(axis=0).astype(int), astronaut_landmarks.max(axis=0).astype(int)
    left, top = (x1 - 4 if side == "left" else 0), (y1 - 4 if side == "top" else 0)
    right, bottom = (x2 + 4 if side == "right" else 512), (y2 + 4 if side == "bottom" else 512)
    cut = astronaut[top:bottom, left:right].copy()
    assert gate(cut, astronaut_landmarks - (left, top)) == "cut off"


def test_a_turned_head_is_a_profile(astronaut, astronaut_landmarks):
    turned = astronaut_landmarks.copy()
    turned[2, 0] += 0.6 * (turned[1, 0] - turned[0, 0])
    assert gate(astronaut, turned) == "profile"


@pytest.mark.parametrize("sigma", [5, 8])
def test_a_strongly_blurred_face_is_refused(astronaut, astronaut_landmarks, sigma):
    blurred = cv2.GaussianBlur(astronaut, (0, 0), sigma)
    assert gate(blurred, astronaut_landmarks) == "blurred"


@pytest.mark.parametrize("along", ["rows", "columns"])
def test_motion_blur_is_refused(astronaut, astronaut_landmarks, along):
    kernel = np.zeros((25, 25), np.float32)
    kernel[12] = 1 / 25
    kernel = kernel if along == "rows" else kernel.T
    assert gate(cv2.filter2D(astronaut, -1, kernel), astronaut_landmarks) == "blurred"


def test_each_limit_can_be_set(astronaut, astronaut_landmarks):
    for limits, reason in (
        (QualityLimits(min_side=500.0), "too small"),
        (QualityLimits.model_construct(min_inside=1.01), "cut off"),
        (QualityLimits.model_construct(max_side_offset=-1.0), "profile"),
        (QualityLimits.model_construct(min_sharpness=100.0), "blurred"),
    ):
        assert gate(astronaut, astronaut_landmarks, limits) == reason
        assert reason in REASONS


def test_the_side_in_the_frame_is_that_of_the_template():
    assert side_in_frame(template(224) * 0.5 + 10) == pytest.approx(112, rel=1e-4)


def test_half_a_crop_outside_the_frame_is_half_inside():
    landmarks = template(100)  # eyes at 32.6 and 67.4 of 100; the frame ends right of the face's middle
    assert share_inside(landmarks, (100, 100)) == pytest.approx(1, abs=1e-3)
    assert share_inside(landmarks, (100, 70)) == pytest.approx(0.7, abs=1e-3)
    assert share_inside(landmarks, (80, 100)) == pytest.approx(0.8, abs=1e-3)


def test_a_landmark_outside_the_frame_leaves_nothing_inside():
    assert share_inside(template(100), (100, 60)) == 0


@pytest.mark.parametrize("angle", [0, 30, -75])
def test_the_side_offset_is_measured_along_the_eyes_however_the_head_leans(angle):
    # eyes 10 apart, nose 2 to the right of their middle: 0.2 eye distances
    face = np.array([(-5, 0), (5, 0), (2, 6), (-4, 12), (4, 12)], dtype=float)
    turn = np.deg2rad(angle)
    leaning = face @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 50
    assert side_offset(leaning) == pytest.approx(0.2)


def test_eyes_in_one_place_are_a_profile():
    assert side_offset(np.zeros((5, 2))) == float("inf")


def test_sharpness_does_not_depend_on_light_and_contrast(astronaut, astronaut_landmarks):
    crop = crop_face(astronaut, astronaut_landmarks, 112)
    dim = (crop * 0.4 + 30).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(sharpness(crop), rel=0.1)


def test_sharpness_does_not_depend_on_the_crops_side(astronaut, astronaut_landmarks):
    small, large = (crop_face(astronaut, astronaut_landmarks, side) for side in (112, 224))
    assert sharpness(small) == pytest.approx(sharpness(large), rel=0.15)


def test_sharpness_of_crossed_waves_is_that_of_theory():
    # The second difference of a cosine of frequency w is -(2 - 2 cos w) times it, and each of the two crossed
    # waves has half of the variance: 4 (2 - 2 cos w)^2 / 2.
    frequency = 2 * np.pi / 6
    wave = 60 * np.cos(frequency * np.arange(48))
    crop = np.dstack([128 + wave[:, np.newaxis] + wave[np.newaxis, :]] * 3).round().astype(np.uint8)
    assert sharpness(crop) == pytest.approx(2 * (2 - 2 * np.cos(frequency)) ** 2, rel=0.03)


def test_detail_in_one_direction_only_is_not_sharp():
    stripes = np.zeros((112, 112, 3), dtype=np.uint8)
    stripes[:, ::4] = 200
    assert sharpness(stripes) == pytest.approx(0, abs=1e-6)


def test_a_dark_noisy_crop_is_not_sharp():
    noise = np.random.default_rng(0).integers(0, 2, (112, 112, 3), dtype=np.uint8)
    assert sharpness(noise) < QualityLimits().min_sharpness


def looking(sideways: float, upwards: float) -> np.ndarray:
    """Landmarks of a solid head turned by so many degrees (to the image's right, and up), seen from far away.

    Eyes and mouth lie in a plane, the nose tip 0.55 eye distances before it: then the gate's 0.40 is 36 degrees.
    """
    flat = template(224) - template(224)[:2].mean(axis=0)
    points = np.column_stack([flat, [0, 0, 0.55 * 77.8, 0, 0]])
    yaw, pitch = np.radians(sideways), np.radians(upwards)
    around_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return (points @ around_y.T @ around_x.T)[:, :2]


def test_turn_and_tilt_say_where_a_solid_head_looks():
    assert turn(looking(36, 0)) == pytest.approx(0.40, abs=0.005)
    assert turn(looking(-15, 0)) == pytest.approx(-0.147, abs=0.005)
    assert turn(looking(0, 10)) == pytest.approx(0, abs=1e-6)
    straight = tilt(looking(0, 0))
    assert straight - tilt(looking(0, 8)) == pytest.approx(0.07, abs=0.005)
    assert tilt(looking(0, -8)) > straight
    assert tilt(np.zeros((5, 2))) == float("inf")

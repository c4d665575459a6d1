"""The second look at where a face lies in its crop: by hand, and on the real portrait with the real net."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import skimage.data

from models.crop.pose import template
from models.crop.wearables import SHAPES, frame_mask, paint
from models.crop.zones import zone_mask
from realtime.cameras.demo_scene import LANDMARKS as FOUND
from realtime.faces.align import crop_face, cut, inverse, similarity
from realtime.faces.realign import (
    COLUMNS,
    FILL,
    ROWS,
    SIDE,
    Displacement,
    Realigner,
    _apart,
    _numbers,
    compose,
    cut_face,
    window,
)
from realtime.types import DetectedFace

PORTRAIT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
LANDMARKS = FOUND.astype(np.float64)
BOX = np.array([180.3, 60.7, 268.4, 172.2], np.float32)  # MTCNN's


@pytest.fixture(scope="module")
def realigner() -> Realigner:
    return Realigner()


def pulled(x: float, y: float, *, degrees: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """The portrait's landmarks as a detector misled by so many pixels of a crop of 224 would give them."""
    turn, size = math.radians(degrees), 1 / similarity(LANDMARKS, 224)[:, 0].dot([1, 0])
    middle = LANDMARKS.mean(axis=0)
    rotation = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return (LANDMARKS - middle) @ rotation.T + middle + np.array([x, y]) * size


def off(matrix: np.ndarray) -> float:
    """How far the template's points of the portrait's true landmarks lie from the template, pixels of 224."""
    found = LANDMARKS @ matrix[:, :2].T + matrix[:, 2]
    right = LANDMARKS @ similarity(LANDMARKS, 224)[:, :2].T + similarity(LANDMARKS, 224)[:, 2]
    return float(np.linalg.norm(found - right, axis=1).mean())


def test_a_displacement_moves_turns_and_resizes_about_the_crops_centre():
    matrix = Displacement(x=8, y=-4, degrees=90, scale=2).matrix(112)
    centre, right = np.array([55.5, 55.5]), np.array([1.0, 0.0])
    np.testing.assert_allclose(matrix[:, :2] @ centre + matrix[:, 2], (59.5, 53.5))
    np.testing.assert_allclose(matrix[:, :2] @ (centre + right) + matrix[:, 2], (59.5, 55.5))
    assert Displacement(3, 4).farthest == pytest.approx(5)
    assert Displacement(scale=1.1).farthest == pytest.approx(9.5)


def test_two_transforms_in_a_row_are_their_product():
    first, second = np.array([[2.0, 0, 1], [0, 2, 3]]), np.array([[0.0, -1, 5], [1, 0, 7]])
    point = np.array([4.0, 6.0])
    between = first[:, :2] @ point + first[:, 2]
    after = second[:, :2] @ between + second[:, 2]
    whole = compose(second, first)
    np.testing.assert_allclose(whole[:, :2] @ point + whole[:, 2], after)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_pixel_of_glasses_in_their_place_takes_part(realigner, shape):
    crop = crop_face(PORTRAIT, LANDMARKS, SIDE)
    noise = np.random.default_rng(0).integers(0, 256, crop.shape, np.uint8)
    worn = paint(crop, frame_mask(shape, SIDE), noise)
    assert not np.array_equal(worn, crop)
    np.testing.assert_array_equal(window(worn[None]), window(crop[None]))
    assert realigner.displacements(worn[None]) == realigner.displacements(crop[None])
    zone = zone_mask("eyewear", SIDE)[ROWS[0] : ROWS[1], COLUMNS[0] : COLUMNS[1]]
    assert (window(crop[None])[0][zone] == FILL).all()


def test_a_face_in_its_place_is_left_there_to_the_pixel(realigner):
    pixels, matrix = realigner.crop(PORTRAIT, face(LANDMARKS), 112)
    np.testing.assert_array_equal(pixels, crop_face(PORTRAIT, LANDMARKS, 112))
    np.testing.assert_array_equal(matrix, similarity(LANDMARKS, 112))


def face(landmarks: np.ndarray) -> DetectedFace:
    """The portrait's face with these landmarks, in the box that the detector has around it."""
    return DetectedFace(BOX, landmarks.astype(np.float32), 1.0)


PULLS = [
    (34, 0, 0, 1),
    (-34, 0, 0, 1),
    (0, 34, 0, 1),
    (0, -30, 0, 1),
    (20, 20, 6, 1),
    (0, 0, 0, 1.25),
    (-15, 10, -6, 0.85),
]


@pytest.mark.parametrize(("x", "y", "degrees", "scale"), PULLS)
def test_a_crop_that_was_pulled_away_is_brought_back(realigner, x, y, degrees, scale):
    landmarks = pulled(x, y, degrees=degrees, scale=scale)
    before = off(similarity(landmarks, 224))
    _, matrix = realigner.crop(PORTRAIT, face(landmarks), 224)
    assert off(matrix) < max(12.0, 0.5 * before)


def test_glasses_that_stick_out_of_a_misled_crop_are_outvoted(realigner):
    noise = np.random.default_rng(3).integers(0, 256, PORTRAIT.shape, np.uint8)
    shape = frame_mask("sunglasses_filled", 224)
    place = cv2.warpAffine(shape[..., 0], inverse(similarity(LANDMARKS, 224)), PORTRAIT.shape[1::-1])
    worn = np.where(place[..., None] > 0.5, noise, PORTRAIT)
    for x, y in ((0, 45), (0, -45), (45, 0), (-45, 0)):
        _, matrix = realigner.crop(worn, face(pulled(x, y)), 224)
        assert off(matrix) < 22


def test_how_far_two_poses_are_apart_is_how_far_the_second_is_displaced():
    move = Displacement(x=12, y=-5, degrees=7, scale=1.2)
    at = similarity(LANDMARKS, SIDE)
    apart = _apart(_numbers([compose(move.matrix(SIDE), at), at]))
    assert apart[0, 1] == pytest.approx(move.farthest)
    np.testing.assert_allclose(np.diag(apart), 0, atol=1e-6)


def test_a_known_pose_is_only_looked_after(realigner):
    moved = compose(Displacement(x=4).matrix(112), similarity(LANDMARKS, 112))
    pixels, matrix = realigner.look_after(PORTRAIT, moved, 112)
    np.testing.assert_array_equal(matrix, moved)
    np.testing.assert_array_equal(pixels, cut(PORTRAIT, moved, 112))
    lost = compose(Displacement(x=36).matrix(112), similarity(LANDMARKS, 112))
    assert off(realigner.look_after(PORTRAIT, lost, 112)[1] * 2) < 18


def test_crops_of_any_side_give_the_same_displacement(realigner):
    landmarks = pulled(25, -10)
    small, large = (realigner.displacements(crop_face(PORTRAIT, landmarks, side)[None])[0] for side in (112, 224))
    assert small.x == pytest.approx(large.x, abs=3)
    assert small.y == pytest.approx(large.y, abs=3)


def test_without_a_second_look_the_landmarks_decide(realigner):
    landmarks = pulled(34, 0)
    alone = cut_face(PORTRAIT, face(landmarks), 112, None)
    np.testing.assert_allclose(alone, crop_face(PORTRAIT, landmarks, 112), atol=1)
    assert np.abs(cut_face(PORTRAIT, face(landmarks), 112, realigner).astype(int) - alone).mean() > 10


def test_the_template_is_where_the_net_expects_a_face():
    for x, y in template(SIDE)[2:]:
        assert COLUMNS[0] <= x < COLUMNS[1]
        assert ROWS[0] <= y < ROWS[1]

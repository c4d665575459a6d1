"""Worn accessories, judged by cutting the face out again."""

import numpy as np
import pytest

from models.crop.pose import template
from models.crop.wearables import frame_mask, innocent, paint, rgba
from realtime.faces.align import crop_face
from realtime.faces.wear import wear


def scene(height: int = 360, width: int = 480) -> np.ndarray:
    """A smooth picture (so that resampling it twice loses little)."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [127 + 100 * np.sin(rows / 31 + k) * np.cos(columns / 43 - k) for k in range(3)]
    return np.dstack(channels).astype(np.uint8)


def face(angle_degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(angle_degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return template(112) @ turn.T + shift


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0, 1, (100, 80)), (12, 1.9, (130, 60)), (-25, 1.4, (60, 160))])
def test_wearing_then_cropping_gives_the_painted_crop(angle, scale, shift):
    frame, landmarks = scene(), face(angle, scale, shift)
    accessory = innocent("red", "classic", 112)
    worn = crop_face(wear(frame, landmarks, accessory), landmarks, 112).astype(int)
    painted = paint(crop_face(frame, landmarks, 112), frame_mask("classic", 112), np.array([190, 30, 38])).astype(int)
    difference = np.abs(worn - painted)
    solid = frame_mask("classic", 112) == 1
    assert difference.mean() < 1.5
    assert difference[frame_mask("classic", 112) == 0].mean() < 1
    assert np.median(difference[solid]) <= 3


def test_the_texture_sits_the_right_way_round():
    texture = np.zeros((112, 112, 3), dtype=np.uint8)
    texture[:, :56] = (255, 0, 0)  # red on the image's left
    texture[:, 56:] = (0, 0, 255)
    landmarks = face(0, 1, (100, 80))
    worn = wear(np.zeros((360, 480, 3), np.uint8), landmarks, rgba(frame_mask("wide", 112), texture))
    assert worn[80:200, 100:156, 2].max() == 255  # BGR: red is last
    assert worn[80:200, 100:154, 0].max() == 0
    assert worn[80:200, 158:212, 0].max() == 255


def test_the_frame_that_is_given_stays():
    frame = scene()
    before = frame.copy()
    wear(frame, face(0, 1, (100, 80)), innocent("black", "wide", 112))
    np.testing.assert_array_equal(frame, before)


def test_nothing_changes_away_from_the_accessory():
    frame, landmarks = scene(), face(0, 1, (100, 80))
    changed = np.argwhere((wear(frame, landmarks, innocent("white", "classic", 112)) != frame).any(axis=2))
    top, left = changed.min(axis=0)
    bottom, right = changed.max(axis=0)
    assert 80 + 27 <= top <= bottom <= 80 + 57
    assert 100 + 13 <= left <= right <= 100 + 98


def test_an_accessory_half_outside_the_frame_is_cut():
    frame = scene()
    worn = wear(frame, face(0, 1, (-50, 80)), innocent("white", "wide", 112))
    assert worn.shape == frame.shape
    assert (worn != frame).any()
    np.testing.assert_array_equal(wear(frame, face(0, 1, (-500, 80)), innocent("white", "wide", 112)), frame)


def test_a_texture_drawn_large_is_averaged_on_a_small_face():
    # One-pixel stripes of black and white at 448 on a face of a quarter of that: grey, not moire.
    stripes = np.zeros((448, 448, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    worn = wear(np.zeros((200, 200, 3), np.uint8), face(0, 1, (40, 40)), rgba(np.ones((448, 448), np.float32), stripes))
    inner = worn[60:130, 60:130]
    assert inner.min() >= 115
    assert inner.max() <= 140


def test_colours_under_transparent_pixels_do_not_bleed_into_the_rim():
    accessory = innocent("black", "classic", 112).copy()
    accessory[accessory[..., 3] == 0, :3] = (0, 255, 0)
    black = np.zeros((360, 480, 3), dtype=np.uint8)
    assert wear(black, face(8, 1.7, (100, 80)), accessory)[..., 1].max() <= 22


def test_only_square_rgba_pictures_are_worn():
    with pytest.raises(ValueError, match="RGBA"):
        wear(scene(), face(0, 1, (100, 80)), np.zeros((112, 112, 3), np.uint8))

"""Drawn wearables: place, area, symmetry, and the blending worked out by hand."""

import numpy as np
import pytest

from models.crop.pose import template
from models.crop.wearables import COLOURS, SHAPES, WEARABLES, area, box_mask, frame_mask, innocent, paint, rgba

AREAS = {  # promised shares of the crop
    "thin": (0.02, 0.04),
    "classic": (0.06, 0.07),
    "wide": (0.095, 0.105),
    "sunglasses": (0.065, 0.085),
    "sunglasses_filled": (0.15, 0.19),
    "double": (0.19, 0.25),
    "double_slipped": (0.19, 0.25),
    "face_mask": (0.20, 0.32),
    "forehead_sticker": (0.07, 0.16),
    "cheek_sticker": (0.02, 0.04),
    "patch": (0.0195, 0.0205),
    "forehead_patch": (0.0195, 0.0205),
    "rectangle": (0.099, 0.101),
}
REACH = {  # rows and columns of 224 that may be touched: first row, last row, first column, last column
    "thin": (56, 111, 29, 194),
    "classic": (56, 111, 29, 194),
    "wide": (52, 115, 25, 198),
    "sunglasses": (52, 121, 25, 198),
    "sunglasses_filled": (52, 121, 25, 198),
}


@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("shape", WEARABLES)
def test_each_wearable_covers_the_share_it_promises(shape, size):
    low, high = AREAS[shape]
    mask = frame_mask(shape, size)
    assert low <= area(shape, size) <= high
    assert area(shape, size) == pytest.approx(mask.sum() / size**2, rel=1e-5)


@pytest.mark.parametrize("shape", WEARABLES)
def test_the_share_does_not_depend_on_the_crops_side(shape):
    assert area(shape, 112) == pytest.approx(area(shape, 224), rel=0.02)


@pytest.mark.parametrize("shape", REACH)
def test_glasses_touch_nothing_outside_their_rows_and_columns(shape):
    first_row, last_row, first_column, last_column = REACH[shape]
    mask = frame_mask(shape, 224)
    inside = np.zeros_like(mask, dtype=bool)
    inside[first_row : last_row + 1, first_column : last_column + 1] = True
    assert mask[~inside].max() == 0
    rows = np.flatnonzero(mask.max(axis=1))
    assert rows[-1] - rows[0] >= 48  # and they are a pair of glasses, not a line


@pytest.mark.parametrize("size", [112, 113, 224])
@pytest.mark.parametrize("shape", [*SHAPES, "face_mask", "forehead_sticker", "rectangle"])
def test_what_is_worn_in_the_middle_is_its_own_mirror_image(shape, size):
    mask = frame_mask(shape, size)
    np.testing.assert_allclose(mask, mask[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "sunglasses_filled"])
def test_the_eyes_look_through_open_frames(shape):
    for x, y in template(224)[:2]:
        assert frame_mask(shape, 224)[round(y), round(x)] == 0


def test_filled_sunglasses_hide_the_eyes():
    for x, y in template(224)[:2]:
        assert frame_mask("sunglasses_filled", 224)[round(y), round(x)] == 1


@pytest.mark.parametrize("shape", WEARABLES)
def test_opacity_is_a_float_from_nought_to_one(shape):
    mask = frame_mask(shape, 112)
    assert mask.shape == (112, 112)
    assert mask.dtype == np.float32
    assert mask.min() == 0
    assert mask.max() == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_rims_are_anti_aliased(shape):
    mask = frame_mask(shape, 112)
    assert ((mask > 0.2) & (mask < 0.8)).sum() > 20


def test_a_drawn_mask_cannot_be_spoilt_for_the_next_caller():
    with pytest.raises(ValueError, match="read-only"):
        frame_mask("classic", 112)[0, 0] = 1


def test_a_box_between_pixels_covers_them_in_part():
    mask = box_mask(224, centre=(10.25, 20.5), width=2.5, height=1)
    assert mask[20, 8:13].tolist() == [0, 1, 1, 0.5, 0]
    assert mask.sum() == pytest.approx(2.5)


def test_a_box_half_outside_the_crop_is_cut():
    assert box_mask(224, centre=(0, 0), width=10, height=10).sum() == pytest.approx(25)


def test_painting_blends_by_the_opacity():
    crops = np.full((2, 1, 2, 3), 100, dtype=np.uint8)
    crops[1] = 50
    alpha = np.array([[0.0, 0.25]], dtype=np.float32)
    texture = np.full((1, 2, 3), 200, dtype=np.uint8)
    painted = paint(crops, alpha, texture)
    assert painted[0, 0, :, 0].tolist() == [100, 125]
    assert painted[1, 0, :, 0].tolist() == [50, 88]  # 87.5 to the even neighbour
    assert crops[0, 0, 1, 0] == 100  # the caller's crops stay


def test_painting_takes_one_texture_per_crop():
    crops = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    textures = np.stack([np.full((16, 16, 3), 10, np.uint8), np.full((16, 16, 3), 20, np.uint8)])
    painted = paint(crops, np.ones((16, 16), np.float32), textures)
    assert painted[0].max() == 10
    assert painted[1].min() == 20


def test_painting_refuses_an_opacity_of_another_side():
    with pytest.raises(ValueError, match="do not fit"):
        paint(np.zeros((1, 112, 112, 3), np.uint8), frame_mask("thin", 224), np.zeros(3, np.uint8))


def test_innocent_glasses_are_plain_in_the_named_colour():
    picture = innocent("yellow", "classic", 112)
    assert picture.shape == (112, 112, 4)
    assert (picture[..., :3] == (220, 210, 50)).all()
    np.testing.assert_allclose(picture[..., 3] / 255, frame_mask("classic", 112), atol=0.002)


def test_there_are_many_different_innocent_colours():
    assert len(set(COLOURS.values())) == len(COLOURS) >= 12


def test_rgba_keeps_the_texture():
    texture = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    np.testing.assert_array_equal(rgba(frame_mask("wide", 112), texture)[..., :3], texture)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="known are thin, classic"):
        frame_mask("monocle", 112)
    with pytest.raises(ValueError, match="known are black"):
        innocent("ultraviolet", "classic", 112)
    with pytest.raises(ValueError, match="at least 16"):
        frame_mask("classic", 8)


def test_two_things_at_once_cover_what_either_covers():
    both, glasses, cloth = (frame_mask(shape, 112) for shape in ("wide+face_mask", "wide", "face_mask"))
    np.testing.assert_array_equal(both, np.maximum(glasses, cloth))
    with pytest.raises(ValueError, match="unknown wearable 'hat'"):
        frame_mask("wide+hat", 112)

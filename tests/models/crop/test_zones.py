"""Zones of the canonical crop, against the drawn glasses and by hand."""

import numpy as np
import pytest

from models.bundle import PolicyInfo
from models.crop.pose import template
from models.crop.wearables import SHAPES, WEARABLES, frame_mask
from models.crop.zones import (
    COVER,
    MARGIN,
    SHIFT,
    ZONES,
    ViewSelection,
    checked_zones,
    every_view,
    hide,
    outlines_of,
    zone_mask,
)
from models.errors import BadInput
from realtime.settings.config import DefenceConfig


@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_eyewear_zone_covers_every_drawn_pair_of_glasses_moved_by_its_shift_and_margin(shape, size):
    reach = int((SHIFT + MARGIN) * size / 224)
    glasses = frame_mask(shape, size) > 0
    zone = zone_mask("eyewear", size)
    for dy in (-reach, 0, reach):
        for dx in (-reach, 0, reach):
            moved = np.zeros_like(glasses)
            rows, columns = np.nonzero(glasses)
            inside = (rows + dy >= 0) & (rows + dy < size) & (columns + dx >= 0) & (columns + dx < size)
            moved[rows[inside] + dy, columns[inside] + dx] = True
            assert not (moved & ~zone).any()


@pytest.mark.parametrize("size", [112, 224])
def test_only_the_wide_eyewear_zone_holds_very_wide_glasses_that_have_slipped(size):
    drawn, slipped = (frame_mask(shape, size) > 0 for shape in ("double", "double_slipped"))
    assert not (drawn & ~zone_mask("eyewear", size)).any()
    assert (slipped & ~zone_mask("eyewear", size)).any()
    assert not ((drawn | slipped) & ~zone_mask("wide_eyewear", size)).any()


@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("name", WEARABLES)
def test_everything_that_is_worn_lies_wholly_inside_one_zone_of_the_cover(name, size):
    worn = frame_mask(name, size) > 0
    assert any(not (worn & ~zone_mask(zone, size)).any() for zone in COVER)


def test_every_square_of_a_quarter_of_the_side_lies_wholly_inside_one_window_of_the_cover():
    windows = [zone_mask(zone, 112) for zone in COVER[3:]]
    side = 112 // 4
    for top in range(112 - side + 1):
        for left in range(112 - side + 1):
            assert any(window[top : top + side, left : left + side].all() for window in windows), (top, left)


def test_no_window_of_the_cover_hides_more_than_two_fifths_of_the_crop():
    for zone in COVER[3:]:
        assert zone_mask(zone, 112).mean() == 0.625**2


def test_the_eyewear_zone_leaves_mouth_and_forehead():
    zone = zone_mask("eyewear", 224)
    for x, y in template(224)[3:]:
        assert not zone[round(float(y)), round(float(x))]
    assert not zone[:30].any()
    assert 0.2 < zone.mean() < 0.4


@pytest.mark.parametrize("zone", ZONES)
def test_every_zone_hides_some_of_the_face_and_not_all(zone):
    assert 0.1 < zone_mask(zone, 112).mean() < 0.5


def test_a_view_changes_nothing_outside_its_zone_and_shows_nothing_inside():
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    zones = ("eyewear", "lower_face")
    views = every_view(zones, 2).views(crops, (124, 117, 104))
    assert views.shape == (4, 112, 112, 3)
    for number, zone in enumerate(zones):
        mask, shown = zone_mask(zone, 112), views[2 * number : 2 * number + 2]
        np.testing.assert_array_equal(shown[:, ~mask], crops[:, ~mask])
        assert (shown[:, mask] == (124, 117, 104)).all()
    np.testing.assert_array_equal(hide(crops, zone_mask("eyewear", 112), (124, 117, 104)), views[:2])


def test_looks_at_some_crops_go_back_to_where_they_belong():
    selection = ViewSelection(("eyewear", "lower_face"), np.array([[False, True], [True, True], [True, False]]))
    crops = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    views = selection.views(crops, (9, 9, 9))
    assert [int(view.min()) for view in views] == [1, 2, 0, 1]  # the eyewear's crops, then the lower face's
    assert len(selection) == 4
    spread = selection.scattered(np.array([[1.0], [2.0], [3.0], [4.0]], np.float32))
    np.testing.assert_array_equal(spread[..., 0], [[0, 3], [1, 4], [2, 0]])


def test_a_zone_that_is_named_twice_is_refused_wherever_it_is_named():
    with pytest.raises(ValueError, match="a zone is named twice in eyewear, eyewear; name it once"):
        every_view(("eyewear", "eyewear"), 1)
    with pytest.raises(ValueError, match="name it once"):
        PolicyInfo(zones=("cheeks", "cheeks"))
    with pytest.raises(ValueError, match="name it once"):
        DefenceConfig(zones=["cheeks", "cheeks"])


def test_in_whatever_order_zones_are_named_the_eyewear_comes_first_and_decides():
    named = ["lower_face", "forehead", "eyewear"]
    assert PolicyInfo(zones=tuple(named)).zones == ("eyewear", "lower_face", "forehead")
    assert DefenceConfig(zones=named).zones == ["eyewear", "lower_face", "forehead"]


def test_what_zones_hide_is_named_by_their_pixels(monkeypatch):
    before = outlines_of(("eyewear", "lower_face"), 112)
    assert before == outlines_of(("eyewear", "lower_face"), 112)
    assert len({before, outlines_of(("eyewear",), 112), outlines_of(("eyewear", "lower_face"), 224)}) == 3
    grown = zone_mask("eyewear", 112) | (np.arange(112) == 0)
    monkeypatch.setattr(
        "models.crop.zones.zone_mask", lambda zone, size: grown if zone == "eyewear" else zone_mask(zone, size)
    )
    assert outlines_of(("eyewear", "lower_face"), 112) != before


def test_no_zones_give_no_views():
    selection, crops = every_view((), 3), np.zeros((3, 32, 32, 3), np.uint8)
    assert selection.views(crops, (0, 0, 0)).shape == (0, 32, 32, 3)
    assert selection.scattered(np.zeros((0, 4), np.float32)).shape == (3, 0, 4)


def test_unknown_zones_and_tiny_crops_are_refused():
    with pytest.raises(BadInput, match="'nose': unknown, give one of eyewear"):
        checked_zones(["eyewear", "nose"])
    with pytest.raises(ValueError, match="unknown zone"):
        zone_mask("nose", 112)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 16"):
        zone_mask("eyewear", 8)

"""Two boxes' overlap, against areas counted by hand and on a grid of pixels."""

import numpy as np
import pytest

from realtime.faces.boxes import overlap


def test_overlaps_are_those_of_areas_counted_by_hand():
    assert overlap([0, 0, 2, 2], [1, 1, 3, 3]) == pytest.approx(1 / 7)
    assert overlap([0, 0, 2, 2], [1, 1, 3, 3], of_smaller=True) == pytest.approx(1 / 4)
    assert overlap([0, 0, 9, 9], [2, 2, 5, 5], of_smaller=True) == 1


def test_two_boxes_overlap_as_much_as_the_pixels_that_they_share():
    corners = np.sort(np.random.default_rng(0).integers(0, 40, (50, 2, 2, 2)), axis=2)
    for one, other in np.concatenate([corners[:, :, 0], corners[:, :, 1] + 1], axis=2):  # x1, y1, x2, y2
        drawn = np.zeros((2, 41, 41), bool)
        for plane, (x1, y1, x2, y2) in zip(drawn, (one, other), strict=True):
            plane[y1:y2, x1:x2] = True
        assert overlap(one, other) == pytest.approx((drawn[0] & drawn[1]).sum() / (drawn[0] | drawn[1]).sum())


def test_boxes_apart_or_without_an_area_do_not_overlap():
    assert overlap([0, 0, 1, 1], [2, 2, 3, 3]) == 0
    assert overlap([1, 1, 1, 1], [1, 1, 1, 1]) == 0

"""Our one line for two boxes against the library's for many; the library is not imported where only this is wanted."""

import numpy as np
import pytest
import supervision as sv

from realtime.faces.boxes import overlap


def test_two_boxes_overlap_as_much_as_supervision_says():
    corners = np.random.default_rng(0).uniform(0, 100, (200, 2, 2, 2))
    boxes = np.concatenate([corners.min(axis=2), corners.max(axis=2)], axis=2)  # (200, 2, 4)
    for one, other in boxes:
        assert overlap(one, other) == pytest.approx(float(sv.box_iou_batch(one[None], other[None])[0, 0]), abs=1e-6)


def test_boxes_apart_or_without_an_area_do_not_overlap():
    assert overlap([0, 0, 1, 1], [2, 2, 3, 3]) == 0
    assert overlap([1, 1, 1, 1], [1, 1, 1, 1]) == 0

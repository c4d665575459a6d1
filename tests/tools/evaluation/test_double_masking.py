"""Double masking against its definition, on a classifier that reads one pixel per person."""

from __future__ import annotations

import numpy as np
import pytest

from tools.evaluation.double_masking import certified, covering_masks, double_masked

SIZE, FILL = 24, (124, 117, 104)


@pytest.mark.parametrize(("size", "patch", "each"), [(24, 5, 3), (112, 16, 4), (112, 16, 6), (30, 30, 1), (25, 4, 4)])
def test_every_place_of_the_patch_lies_wholly_under_some_mask(size, patch, each):
    masks = covering_masks(size, patch, each)
    assert masks.shape == (each * each, size, size)
    for top in range(size - patch + 1):
        for left in range(size - patch + 1):
            assert masks[:, top : top + patch, left : left + patch].all(axis=(1, 2)).any()


def brightest_quarter(crops: np.ndarray) -> np.ndarray:
    """Names the quarter (0 to 3) whose red is strongest: a patch of pure red in one names that one."""
    half = SIZE // 2
    sums = [crops[:, y : y + half, x : x + half, 0].astype(float).sum((1, 2)) for y in (0, half) for x in (0, half)]
    scores = np.stack(sums, axis=1)
    return np.exp(scores / 500) / np.exp(scores / 500).sum(axis=1, keepdims=True)


def faces() -> np.ndarray:
    """One face whose first quarter is somewhat red all over."""
    crop = np.full((1, SIZE, SIZE, 3), 100, np.uint8)
    crop[:, : SIZE // 2, : SIZE // 2, 0] = 200
    return crop


def test_a_patch_that_fools_the_plain_classifier_does_not_fool_double_masking():
    attacked = faces()
    attacked[:, 14:21, 14:21] = (255, 0, 0)
    masks = covering_masks(SIZE, 7, 4)

    def weak(crops: np.ndarray) -> np.ndarray:
        return brightest_quarter(np.where(crops == 255, 255, crops // 2))

    assert weak(attacked).argmax() == 3
    names, asked = double_masked(weak, attacked, masks, FILL)
    assert names.tolist() == [0]
    assert asked > len(masks)  # views disagreed, so second masks were asked


def test_a_face_is_certified_where_every_pair_of_masks_leaves_its_name():
    masks = covering_masks(SIZE, 2, 4)
    assert certified(brightest_quarter, faces(), np.array([0]), masks, FILL).tolist() == [True]
    assert certified(brightest_quarter, faces(), np.array([1]), masks, FILL).tolist() == [False]
    wide = covering_masks(SIZE, 12, 1)  # one mask over everything: nothing is left to name anybody by
    assert certified(brightest_quarter, faces(), np.array([1]), wide, FILL).tolist() == [False]


def test_where_all_views_agree_no_second_mask_is_asked():
    masks = covering_masks(SIZE, 2, 4)
    names, asked = double_masked(brightest_quarter, faces(), masks, FILL)
    assert (names.tolist(), asked) == ([0], len(masks))


def test_a_patch_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a patch of 30 pixels"):
        covering_masks(24, 30, 3)

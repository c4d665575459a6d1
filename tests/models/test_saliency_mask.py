"""The saliency mask method against OpenCV's step-by-step morphology and hand-drawn maps."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from models.saliency_mask import (
    MaskParameters,
    apply_mask,
    rank_of_percentile,
    saliency_to_mask,
    scale_saliency,
)


def parameters(**changes: object) -> MaskParameters:
    return MaskParameters(**({"threshold": 0.5, "iterations": 0, "min_area": 0} | changes))  # type: ignore[arg-type]


def test_scaling_follows_the_formula_by_hand() -> None:
    gradient = np.zeros((1, 2, 2, 3), np.float32)
    gradient[0, 0, 0] = (1, -1, 0)  # 2
    gradient[0, 0, 1] = (-4, 0, 0)  # 4
    gradient[0, 1, 0] = (3, 3, -4)  # 10
    gradient[0, 1, 1] = (0, 0, 6)  # 6
    # The higher order statistic at 50 % of four values is the third smallest: 6.
    scaled = scale_saliency(gradient, 50)
    assert scaled[0].tolist() == [[0.0, 0.5], [1.0, 1.0]]


@pytest.mark.parametrize("percentile", [99.0, 99.5, 99.9, 100.0])
@pytest.mark.parametrize("pixels", [112 * 112, 224 * 224, 101])
def test_the_percentile_is_numpys_higher_order_statistic(pixels: int, percentile: float) -> None:
    values = np.random.default_rng(0).random(pixels)
    expected = np.percentile(values, percentile, method="higher")
    assert np.sort(values)[rank_of_percentile(pixels, percentile)] == expected


def test_a_flat_map_gives_zeros_and_an_empty_mask() -> None:
    saliency = scale_saliency(np.ones((2, 8, 8, 3), np.float32))
    assert not saliency.any()
    assert not saliency_to_mask(saliency, parameters(threshold=0.01)).any()


def test_dilations_come_before_erosions_so_that_iterations_matter() -> None:
    saliency = np.zeros((32, 32), np.float32)
    saliency[16, 10] = saliency[16, 18] = 1  # seven pixels apart: closed by 4 iterations, not by alternating 1 + 1
    assert saliency_to_mask(saliency, parameters(iterations=1)).sum() == 2
    closed = saliency_to_mask(saliency, parameters(iterations=4))
    assert closed[16, 10:19].all()
    assert closed.sum() == 9


@given(st.integers(0, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_morphology_equals_opencv_step_by_step_borders_included(iterations: int, seed: int) -> None:
    saliency = (np.random.default_rng(seed).random((24, 24)) > 0.95).astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    wanted = cv2.dilate(saliency.astype(np.uint8), kernel, iterations=iterations)
    wanted = cv2.erode(wanted, kernel, iterations=iterations)
    assert np.array_equal(saliency_to_mask(saliency, parameters(iterations=iterations)), wanted > 0)


def test_small_components_are_counted_in_pixels_not_in_contour_area() -> None:
    saliency = np.zeros((16, 16), np.float32)
    saliency[2, 2:12] = 1  # a line of 10 pixels: cv2.contourArea would say 0
    assert saliency_to_mask(saliency, parameters(min_area=10)).sum() == 10
    assert saliency_to_mask(saliency, parameters(min_area=11)).sum() == 0


def test_diagonal_neighbours_are_one_component() -> None:
    saliency = np.eye(6, dtype=np.float32)
    assert saliency_to_mask(saliency, parameters(min_area=6)).sum() == 6


def test_lens_holes_stay_open() -> None:
    saliency = np.zeros((20, 20), np.float32)
    saliency[4:16, 4:16] = 1
    saliency[7:13, 7:13] = 0
    assert not saliency_to_mask(saliency, parameters(min_area=10))[9, 9]


def test_components_equal_scipys_labelling() -> None:
    saliency = (np.random.default_rng(3).random((64, 64)) > 0.7).astype(np.float32)
    labelled, _ = ndimage.label(saliency, structure=np.ones((3, 3)))
    sizes = np.bincount(labelled.ravel())
    wanted = (sizes[labelled] >= 20) & (labelled > 0)
    assert np.array_equal(saliency_to_mask(saliency, parameters(min_area=20)), wanted)


def test_of_no_crop_there_is_no_saliency() -> None:
    assert scale_saliency(np.zeros((0, 8, 8, 3), np.float32)).shape == (0, 8, 8)


def test_a_batch_is_masked_image_by_image() -> None:
    batch = np.random.default_rng(0).random((3, 16, 16)).astype(np.float32)
    masks = saliency_to_mask(batch, parameters(iterations=1, min_area=3))
    for one, mask in zip(batch, masks, strict=True):
        assert np.array_equal(saliency_to_mask(one, parameters(iterations=1, min_area=3)), mask)


def test_masked_pixels_take_the_fill_and_the_crop_is_not_changed() -> None:
    crops = np.full((1, 4, 4, 3), 9, np.uint8)
    mask = np.zeros((1, 4, 4), bool)
    mask[0, 1, 2] = True
    masked = apply_mask(crops, mask, (124, 117, 104))
    assert masked[0, 1, 2].tolist() == [124, 117, 104]
    assert (masked != 9).any(axis=-1).sum() == 1
    assert (crops == 9).all()


def test_inpainting_continues_the_surroundings() -> None:
    crops = np.full((1, 16, 16, 3), 200, np.uint8)
    crops[0, 6:9, 6:9] = 0
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 6:9, 6:9] = True
    filled = apply_mask(crops, mask, (0, 0, 0), "inpaint").astype(int)
    assert np.abs(filled - 200).max() <= 2


def test_published_parameters_scale_with_the_crop() -> None:
    assert MaskParameters.published(224) == MaskParameters(0.98, 8, 80)
    assert MaskParameters.published(112) == MaskParameters(0.98, 4, 20)


@pytest.mark.parametrize(
    "bad", [{"threshold": 0}, {"threshold": 1.1}, {"iterations": -1}, {"kernel": 2}, {"percentile": 0}, {"fill": "x"}]
)
def test_impossible_parameters_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        parameters(**bad)

"""Weights where sums of two products have 16 bits: as fine as can be, and nothing saturates."""

import numpy as np

from models.graphs.builder import quantise
from models.graphs.narrow_sums import narrow, safe_levels


def test_a_weight_has_nearly_8_bits_where_none_of_its_neighbours_is_large() -> None:
    def levels(*weights: float) -> float:
        return float(safe_levels(np.array(weights, np.float32).reshape(1, -1, 1, 1)).item())

    assert levels(1, 0, -1, 0) == 126  # of other sign: they never add up to more
    assert levels(1, 0, 0, 0, 1, 0, 0, 0) == 126  # no neighbours
    assert levels(1, 0, 0, 1) == 63
    assert levels(1, 0.25, 0, 0) == 100  # with its neighbour 125 of 126
    assert levels(1, 0, 0) == 63  # three channels: other places are neighbours


def test_no_two_neighbours_have_more_than_16_bits_hold() -> None:
    weight = np.random.default_rng(0).normal(size=(40, 32, 3, 3)).astype(np.float32) ** 3
    integers, _ = narrow(weight)
    pairs = np.sort(np.maximum([integers, -integers], 0).reshape(2, 40, 8, 4, 9).astype(int), axis=3)[:, :, :, -2:]
    most = 255 * pairs.sum(axis=3).max()
    assert 255 * 110 < most < 2**15


def test_a_kernel_s_sum_changes_by_half_a_step_at_most_and_a_weight_by_less_than_one() -> None:
    weight = np.random.default_rng(1).normal(size=(16, 8, 3, 3)).astype(np.float32)
    integers, scale = narrow(weight)
    errors = integers - weight / scale
    assert np.abs(errors).max() < 1
    assert np.abs(errors.sum(axis=(2, 3))).max() <= 0.5 + 1e-4
    nearest = quantise(weight, levels=safe_levels(weight))[0] - weight / scale
    assert np.abs(nearest.sum(axis=(2, 3))).max() > 1

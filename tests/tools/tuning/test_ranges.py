"""How far the ranges of 8-bit activations reach, on a small network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from models.bundle import Bundle
from models.graphs.int8 import measure_ranges
from tools.tuning.ranges import fitted_ranges


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)


def test_ranges_that_reach_ten_times_too_far_are_taken_back(small_bundle: Bundle, crops: np.ndarray) -> None:
    ranges = measure_ranges(onnx.load(str(small_bundle.classifier_path)), small_bundle.info.trunk.spec, crops[:3])
    wide = {name: 10 * value for name, value in ranges.items()}
    found = fitted_ranges(small_bundle, wide, crops[3:], shares=(1.0, 0.1), threads=1)
    for name, value in found.items():
        assert value == pytest.approx(wide[name] if name.startswith("d_") else ranges[name])


def test_what_every_face_has_is_not_cut_off(small_bundle: Bundle, crops: np.ndarray) -> None:
    ranges = measure_ranges(onnx.load(str(small_bundle.classifier_path)), small_bundle.info.trunk.spec, crops[:3])
    assert fitted_ranges(small_bundle, ranges, crops[3:], shares=(0.02, 1.0), threads=1) == pytest.approx(ranges)

"""A zone, added by one line in the table, is hidden, named in a bundle, and refused no more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models.bundle import Bundle, PolicyInfo
from models.crop.pose import TEMPLATE_SIDE
from models.crop.zones import ZONES, checked_zones, in_order, zone_mask
from models.recogniser import load_recogniser


def left_ear() -> np.ndarray:
    covered = np.zeros((TEMPLATE_SIDE, TEMPLATE_SIDE), np.uint8)
    covered[80:140, :28] = 1
    return covered


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    zone_mask.cache_clear()
    monkeypatch.setitem(ZONES, "left_ear", left_ear)
    yield "left_ear"
    zone_mask.cache_clear()


def test_its_pixels_are_hidden_from_its_view_alone(added: str, small_bundle: Bundle) -> None:
    recogniser = load_recogniser(small_bundle.folder, "onnxruntime-cpu", threads=1)
    recogniser.zones = ("eyewear", added)
    size = recogniser.input_size
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    changed = crops.copy()
    changed[:, zone_mask(added, size)] ^= 255
    before, after = recogniser.view(crops), recogniser.view(changed)
    np.testing.assert_array_equal(before[:, 1], after[:, 1])
    assert (before[:, 0] != after[:, 0]).any()


def test_bundles_and_commands_know_it(added: str) -> None:
    assert PolicyInfo(zones=("eyewear", added)).zones == ("eyewear", "left_ear")
    assert checked_zones([added, "eyewear"]) == in_order((added, "eyewear")) == ("eyewear", "left_ear")


def test_without_its_line_it_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown zone 'left_ear'; known are eyewear"):
        PolicyInfo(zones=("left_ear",))
    with pytest.raises(ValueError, match="unknown zone 'left_ear'"):
        zone_mask("left_ear", 112)

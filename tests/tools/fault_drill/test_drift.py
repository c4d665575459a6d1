"""A face drifts as far and as fast as is stated."""

import numpy as np
import pytest
from portraits import COLOURS, plain

from tools.fault_drill.drift import COUNT, Drift, drifted, drifting, walk
from tools.fault_drill.scenes import CROP, TILE


@pytest.mark.parametrize(("spread", "step"), [(0.11, 0.011), (1.2, 0.78), (0.042, 0.016)])
def test_a_walk_spreads_and_steps_as_is_asked(spread: float, step: float) -> None:
    values = walk(spread, step, 40_000, np.random.default_rng(0))
    assert values.std() == pytest.approx(spread, rel=0.1)
    assert np.diff(values).std() == pytest.approx(step, rel=0.03)


def test_a_clip_lasts_five_seconds_and_keeps_its_name_and_drift() -> None:
    clip = drifting(plain("Ada"), seed=3)
    assert clip.count == COUNT == 125
    assert clip.truth(COUNT - 1)[0].name == "Ada"
    x = np.array([clip.truth(number)[0].x for number in range(60)])
    assert 0.2 < np.diff(x).std() / (CROP * Drift().across[1]) < 1.8
    assert clip.truth(0) == drifting(plain("Ada"), seed=3).truth(0) != drifting(plain("Ada"), seed=4).truth(0)


def test_light_size_and_blur_do_what_they_say() -> None:
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    tile[100:140, 100:140] = 100
    assert (drifted(tile, np.log(1.5), 0, 0, 0)[:, :, 0] > 50).sum() == pytest.approx(60 * 60, rel=0.05)
    assert drifted(tile, 0, 0, np.log(1.2), 0)[120, 120, 0] == 120
    sharp, soft = (np.abs(np.diff(drifted(tile, 0, 0, 0, s)[120, :, 0].astype(int))).max() for s in (0.0, -2.0))
    assert soft < sharp / 3
    assert tuple(drifted(plain("Bob").tile, 0.1, 5, 0, -1)[120, 120]) == COLOURS["Bob"]

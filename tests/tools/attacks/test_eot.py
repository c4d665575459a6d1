"""Random views move and light what is shown by what was asked for, no more."""

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass

from tools.attacks.eot import EOT, Jitter

SIZE, COUNT = 64, 200


def seen(eot: EOT, *, crops: torch.Tensor | None = None) -> np.ndarray:
    """(COUNT, S, S) the red channel of random views; the accessory is white, a tall bar in the middle."""
    region = torch.zeros(COUNT, 1, SIZE, SIZE, dtype=torch.bool)
    region[:, :, 16:48, 30:34] = True
    texture = torch.full((COUNT, 3, SIZE, SIZE), 255.0)
    crops = torch.zeros(COUNT, 3, SIZE, SIZE) if crops is None else crops
    generators = [torch.Generator().manual_seed(number) for number in range(COUNT)]
    return eot.view(texture, region, crops, generators)[:, 0].numpy()


def angle_of(picture: np.ndarray) -> float:
    """Of the bar's long axis against the vertical in degrees, by second moments."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    row, column = center_of_mass(picture)
    y, x = rows - row, columns - column
    covariance = [(picture * a * b).sum() for a, b in ((x, x), (x, y), (y, y))]
    return float(np.degrees(0.5 * np.arctan2(2 * covariance[1], covariance[2] - covariance[0])))


@pytest.mark.parametrize("whole", [False, True])
def test_shifts_are_uniform_up_to_the_share_asked_for(whole: bool):
    jitter = Jitter(shift=4 / SIZE)
    eot = EOT(Jitter(), jitter) if whole else EOT(jitter)
    moved = np.array([center_of_mass(view) for view in seen(eot)]) - (SIZE - 1) / 2
    assert 3.7 < np.abs(moved).max() <= 4.05
    assert np.abs(moved.mean(axis=0)).max() < 0.5
    assert moved.std() == pytest.approx(4 / np.sqrt(3), rel=0.1)  # of a uniform draw


def test_turns_reach_the_angle_asked_for():
    angles = np.array([angle_of(view) for view in seen(EOT(Jitter(degrees=10)))])
    assert 9 < np.abs(angles).max() <= 10.2
    assert angles.std() == pytest.approx(10 / np.sqrt(3), rel=0.1)


def test_sizes_change_by_the_share_asked_for():
    areas = seen(EOT(Jitter(scale=0.2))).sum(axis=(1, 2)) / (255 * 32 * 4)
    assert 1 / 1.2**2 - 0.02 <= areas.min() < 0.75
    assert 1.45 < areas.max() <= 1 / 0.8**2 + 0.02


def test_light_is_a_factor_and_an_offset():
    grey = torch.full((COUNT, 3, SIZE, SIZE), 100.0)
    shown = seen(EOT(Jitter(), Jitter(gain=0.25)), crops=grey)[:, 0, 0]
    assert 100 * np.exp(-0.25) - 0.1 <= shown.min() < 82
    assert 124 < shown.max() <= 100 * np.exp(0.25) + 0.1
    shown = seen(EOT(Jitter(), Jitter(offset=15)), crops=grey)[:, 0, 0]
    assert 85 <= shown.min() < 87
    assert 113 < shown.max() <= 115


def test_the_face_stays_where_only_the_accessory_moves():
    crops = torch.rand(COUNT, 3, SIZE, SIZE) * 255
    views = seen(EOT(Jitter(shift=2 / SIZE)), crops=crops)
    assert np.array_equal(views[:, :, :24], crops[:, 0, :, :24].numpy())


def test_without_jitter_the_view_is_the_worn_picture():
    crops = torch.rand(COUNT, 3, SIZE, SIZE) * 255
    views = seen(EOT(Jitter()), crops=crops)
    assert (views[:, 16:48, 30:34] == 255).all()
    assert np.array_equal(views[:, :16], crops[:, 0, :16].numpy())

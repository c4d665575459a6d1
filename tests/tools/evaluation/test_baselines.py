"""The masks of the baselines, against scipy and by hand; innocent glasses."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import sobel
from small_people import SIZE, crops
from torch import nn

from models.crop.wearables import SHAPES, frame_mask
from tools.attacks.edge_mask import sobel_map, strongest
from tools.evaluation.baselines import gradient_map, moved_masks
from tools.evaluation.run import with_innocent_glasses


def test_the_sobel_map_is_scipys():
    channels = crops(1)[0].astype(np.float64).transpose(2, 0, 1)
    expected = sum(np.hypot(sobel(one, axis=0), sobel(one, axis=1)) for one in channels)
    np.testing.assert_allclose(sobel_map(crops(1))[0, 1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-5)


def test_the_plain_gradient_of_a_linear_net_is_its_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    crop = np.full((1, 2, 2, 3), 128, np.uint8)
    best = int(net(torch.full((1, 3, 2, 2), 128 / 255)).argmax())
    expected = net[1].weight[best].detach().numpy().reshape(3, 2, 2)
    np.testing.assert_allclose(gradient_map(net, crop)[0], np.abs(expected).sum(axis=0), rtol=1e-5)


def test_chance_masks_have_the_area_they_should_and_do_not_depend_on_the_batch():
    masks = np.zeros((2, SIZE, SIZE), np.bool_)
    masks[:, 3:9, 4:20] = True
    pictures = crops(2)
    moved = moved_masks(pictures, masks, seed=1)
    assert moved.sum(axis=(1, 2)).tolist() == [96, 96]
    assert (moved[0] != masks[0]).any()
    np.testing.assert_array_equal(moved_masks(pictures[1:], masks[1:], seed=1)[0], moved[1])


def test_the_strongest_pixels_are_chosen_and_zeros_never():
    values = np.array([[[0.0, 3.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 5.0]]], np.float32)
    chosen = strongest(values, [2, 3])
    assert chosen.tolist() == [[[0, 1], [0, 1]], [[0, 0], [0, 1]]]


def test_innocent_glasses_change_the_glasses_place_only():
    before = crops(6)
    after = with_innocent_glasses(before, seed=3)
    anywhere = np.max([frame_mask(shape, SIZE) for shape in SHAPES], axis=0) > 0
    changed = (before != after).any(axis=3)
    assert not (changed & ~anywhere).any()
    assert changed.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(after, with_innocent_glasses(before, seed=3))

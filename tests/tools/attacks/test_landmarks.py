"""A9 on a small net whose landmarks are worked out by hand, and its cutting against plain slicing."""

import numpy as np
import pytest
import torch
from torch import nn

from tools.attacks.landmarks import PULLS, MoveLandmarks, boxes_around, cut


class BrightnessNet(nn.Module):
    """Puts every landmark's y at minus the mean brightness of its input, its x at 0; always sees a face."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        level = x.mean(dim=(1, 2, 3))
        landmarks = torch.cat([torch.zeros(len(x), 5), -level[:, None].expand(-1, 5)], dim=1)
        return torch.zeros(len(x), 4), landmarks, torch.tensor([[0.0, 1.0]]).expand(len(x), -1)


@pytest.mark.parametrize(("pull", "level"), [("up", 255), ("down", 0)])
def test_the_pixels_under_the_mask_go_where_the_landmarks_are_wanted(pull, level):
    rgb = np.full((60, 60, 3), 90, np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[20:30, 15:45] = True
    moved = MoveLandmarks(steps=40, boxes=2).run(BrightnessNet(), rgb, np.array([10, 10, 50, 50.0]), mask, pull)
    np.testing.assert_array_equal(moved[~mask], rgb[~mask])
    assert abs(float(moved[mask].mean()) - level) < 20


def test_every_pull_names_five_landmarks():
    assert {len(pull) for pull in PULLS.values()} == {5}


def test_a_cut_of_twice_the_side_is_the_mean_of_its_pixels():
    picture = torch.arange(3 * 120 * 120, dtype=torch.float32).view(1, 3, 120, 120) % 251
    found = cut(picture, torch.tensor([[12.0, 6.0, 108.0, 102.0]]))[0]
    wanted = picture[0, :, 6:102, 12:108].reshape(3, 48, 2, 48, 2).mean(dim=(2, 4))
    torch.testing.assert_close(found, wanted, atol=1e-2, rtol=0)


def test_boxes_are_squares_around_the_face():
    boxes = boxes_around(np.array([10, 20, 50, 70.0]), 200, 0.1, torch.Generator().manual_seed(0))
    sides = boxes[:, 2:] - boxes[:, :2]
    torch.testing.assert_close(sides[:, 0], sides[:, 1])
    assert float(sides.min()) >= 50 * 0.95 - 1e-3
    assert float(sides.max()) <= 50 * 1.15 + 1e-3
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2
    assert float((centres - torch.tensor([30.0, 45.0])).abs().max()) <= 5 + 1e-3

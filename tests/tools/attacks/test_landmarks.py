"""A9 on a small net whose landmarks are worked out by hand, and its cutting against plain slicing."""

import math

import numpy as np
import pytest
import skimage.data
import torch
from torch import nn

from realtime.cameras.demo_scene import LANDMARKS
from realtime.faces.align import crop_face, scale_of, similarity
from realtime.faces.realign import SIDE, Realigner
from tools.attacks.landmarks import PULLS, MisleadSecondLook, MoveLandmarks, boxes_around, cut
from tools.faces.realign_net import RealignNet, exported


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


def test_who_knows_of_the_second_look_wants_its_net_to_move_no_crop_that_lies_wrong():
    torch.manual_seed(0)
    net = RealignNet().eval().requires_grad_(False)
    rgb, by = skimage.data.astronaut(), 30 / scale_of(similarity(LANDMARKS, 224))
    wrong = crop_face(np.ascontiguousarray(rgb[..., ::-1]), LANDMARKS + np.array([0, -by]), SIDE)
    inside = Realigner(model=exported(net)).displacements(wrong[None])[0]
    wanted = np.abs([inside.x / 20, inside.y / 20, inside.degrees / 5, math.log(inside.scale) / 0.1]).mean()
    loss = MisleadSecondLook(net, LANDMARKS, "up", by=(30.0,))
    pixels = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float().requires_grad_(True)
    found = loss(pixels)
    assert float(found) == pytest.approx(wanted, rel=0.05)
    (gradient,) = torch.autograd.grad(found, pixels)
    assert float(loss(pixels - 20 * gradient.sign())) < float(found)


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

"""The non-printability score by hand."""

import math

import pytest
import torch

from tools.attacks.printability import PRINTABLE, non_printability


def test_printable_colours_cost_nothing_and_others_their_distances_product():
    texture = torch.tensor([PRINTABLE[3], (255, 0, 255)], dtype=torch.float64).T.view(1, 3, 1, 2)
    by_hand = math.prod(((255 - r) ** 2 + g**2 + (255 - b) ** 2) / 19_200 for r, g, b in PRINTABLE)
    both = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    assert float(non_printability(texture, both)) == pytest.approx(by_hand)
    assert float(non_printability(texture, torch.tensor([[[[True, False]]]]))) == 0


def test_its_slope_leads_towards_what_can_be_printed():
    texture = torch.tensor([200.0, 40.0, 130.0], dtype=torch.float64).view(1, 3, 1, 1).requires_grad_()
    region = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    before = non_printability(texture, region)[0]
    (slope,) = torch.autograd.grad(before, texture)
    after = non_printability(texture.detach() - 1e-3 * slope / slope.norm(), region)
    assert float(after) < before.item()

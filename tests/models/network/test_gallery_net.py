"""Scaled cosines behind a trunk: by hand, and their guided gradient against Captum."""

import math

import pytest
import torch
from captum.attr import GuidedBackprop
from torch import nn

from models.network.gallery_net import Cosines, GalleryNet
from models.network.guided_backprop import guided_backprop
from models.network.vgg16 import VGG16


def small_net(dtype: torch.dtype = torch.float64) -> GalleryNet:
    torch.manual_seed(0)
    rows = nn.functional.normalize(torch.randn(5, 8))
    return GalleryNet(VGG16(classes=8, input_size=32, hidden=16), rows, scale=14.0).eval().to(dtype)


def test_cosines_by_hand() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]])
    found = Cosines(rows, scale=2.0)(torch.tensor([[3.0, 4.0], [0.0, -7.0]]))
    torch.testing.assert_close(found, torch.tensor([[1.2, 1.6, 0.56], [0.0, -2.0, -1.6]]))


def test_nobodys_logit_takes_what_the_others_have_of_the_softmax() -> None:
    rows, others = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    logits = Cosines(rows, scale=3.0, others=others)(torch.tensor([[0.6, 0.8]]))
    shares = [math.exp(3 * cosine) for cosine in (0.6, 0.8, -0.6)]
    assert logits.shape == (1, 2)
    assert logits.softmax(dim=1)[0].tolist() == pytest.approx([shares[0] / sum(shares), sum(shares[1:]) / sum(shares)])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_guided_backpropagation_of_a_cosine_equals_captum(dtype: torch.dtype, tolerance: float) -> None:
    net = small_net(dtype)
    x = torch.rand(3, 3, 32, 32, dtype=dtype, generator=torch.Generator().manual_seed(1))
    ours = guided_backprop(net, x)
    captum = GuidedBackprop(net).attribute(x.clone().requires_grad_(True), target=net(x).argmax(1))
    assert ours.abs().max() > 0
    assert (ours - captum).abs().max() <= tolerance * captum.abs().max()


def test_the_gradient_of_a_cosine_is_across_the_embedding() -> None:
    """(r - c e / |e|) / |e|, as the graphs have it, against autograd."""
    e = torch.tensor([[3.0, 4.0, 0.0]], dtype=torch.float64, requires_grad=True)
    row = torch.tensor([[0.0, 0.6, 0.8]], dtype=torch.float64)
    cosine = Cosines(row)(e)
    (gradient,) = torch.autograd.grad(cosine.sum(), e)
    unit, length = e.detach() / 5, 5
    torch.testing.assert_close(gradient, (row - cosine.detach() * unit) / length)


def test_a_white_box_attacker_has_a_gradient_to_every_pixel_and_the_embedding_has_unit_length() -> None:
    net = small_net()
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(net(x), torch.tensor([1, 2])), x)
    assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()
    torch.testing.assert_close(net.embed(x).norm(dim=1), torch.ones(2, dtype=torch.float64))

"""The written-out guided backward pass against Captum, autograd's own and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_nets import convolutional, pictures
from torch import nn

from models.network.gallery_net import GalleryNet
from models.network.guided_backprop import guided_backprop, guided_relus
from models.network.vgg16 import VGG16
from models.saliency_mask import scale_saliency
from tools.attacks.batch import frozen
from tools.attacks.guided_chain import GuidedChain, scaled_saliency
from tools.attacks.half_precision import HalfPrecision


def test_hard_gates_give_guided_backpropagation_exactly():
    captum = pytest.importorskip("captum.attr")
    net = convolutional()
    x = torch.from_numpy(pictures(3, 12)).permute(0, 3, 1, 2).double() / 255
    target = net(x).argmax(1)
    chain = GuidedChain(net)
    ours = chain.guided(chain.forward(x))
    torch.testing.assert_close(ours, guided_backprop(net, x), rtol=1e-12, atol=1e-15)
    theirs = captum.GuidedBackprop(net).attribute(x.clone().requires_grad_(), target=target)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


def test_on_vgg16_the_chain_gives_the_models_logits_and_saliency():
    torch.manual_seed(0)
    net = VGG16(classes=4, input_size=32, hidden=8).double().eval()
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    with frozen(net):
        chain = GuidedChain(net)
        found = chain.forward(x)
        torch.testing.assert_close(found.logits, net(x))
        torch.testing.assert_close(chain.guided(found), guided_backprop(net, x), rtol=1e-9, atol=1e-15)


def test_the_scaled_saliency_is_the_recognisers_before_clipping():
    gradient = torch.randn(3, 3, 9, 9, generator=torch.Generator().manual_seed(5))
    gradient[2] = 0.5  # a flat map has no scale: zeros
    for percentile in (90.0, 99.0, 100.0):
        ours = scaled_saliency(gradient, percentile).clamp(0, 1).numpy()
        theirs = scale_saliency(gradient.permute(0, 2, 3, 1).numpy(), percentile)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_soft_gates_become_the_hard_ones():
    net = convolutional()
    x = torch.from_numpy(pictures(2, 12)).permute(0, 3, 1, 2).double() / 255
    chain = GuidedChain(net)
    found = chain.forward(x)
    torch.testing.assert_close(chain.guided(found, sharpness=1e7), chain.guided(found), rtol=1e-6, atol=1e-9)


def test_the_slope_of_soft_saliency_is_that_of_finite_differences():
    net = convolutional()
    chain = GuidedChain(net)
    net.requires_grad_(False)
    x = torch.from_numpy(pictures(1, 12)).permute(0, 3, 1, 2).double() / 255
    weights = torch.rand(1, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    def total(picture: torch.Tensor) -> torch.Tensor:
        return (weights * scaled_saliency(chain.guided(chain.forward(picture), sharpness=3.0), 95.0)).sum()

    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(total(leaf), leaf)
    assert float(slope.abs().max()) > 0
    for place in [(0, 0, 2, 3), (0, 1, 7, 7), (0, 2, 11, 0), (0, 0, 5, 9)]:
        step = torch.zeros_like(x)
        step[place] = 1e-6
        numeric = (total(x + step) - total(x - step)) / 2e-6
        assert float(slope[place]) == pytest.approx(float(numeric), rel=1e-4, abs=1e-6)


def test_with_hard_gates_the_saliency_has_no_slope_at_all():
    """Why there are soft gates: a ReLU net's saliency is piecewise constant, so its derivative helps nobody."""
    net = convolutional().requires_grad_(False)
    leaf = (torch.from_numpy(pictures(1, 12)).permute(0, 3, 1, 2).double() / 255).requires_grad_()
    with guided_relus(net):
        (saliency,) = torch.autograd.grad(net(leaf).max(), leaf, create_graph=True)
    assert float(saliency.detach().abs().max()) > 0
    (slope,) = torch.autograd.grad(saliency.abs().sum(), leaf)
    assert float(slope.abs().max()) == 0
    chain = GuidedChain(net)
    (slope,) = torch.autograd.grad(chain.guided(chain.forward(leaf), sharpness=3.0).abs().sum(), leaf)
    assert float(slope.abs().max()) > 0


def test_a_layer_without_a_written_rule_is_refused():
    with pytest.raises(ValueError, match="Sigmoid"):
        GuidedChain(nn.Sequential(nn.Linear(3, 2), nn.Sigmoid()))
    with pytest.raises(ValueError, match="Conv2d"):
        GuidedChain(nn.Sequential(nn.Conv2d(3, 2, 3, stride=2), nn.ReLU()))


def test_in_half_precision_logits_and_saliency_stay_nearly_the_same(monkeypatch):
    monkeypatch.setattr("models.training.half_precision.has_bfloat16", lambda: True)  # emulated where absent
    net = convolutional().float()
    x = torch.from_numpy(pictures(4, 12)).permute(0, 3, 1, 2).float() / 255
    target = net(x).argmax(1)
    with frozen(net):
        wanted = GuidedChain(net)
        exact = wanted.forward(x)
        chain = GuidedChain(HalfPrecision(net))
        found = chain.forward(x)
        assert found.logits.dtype == torch.float32
        difference = (found.logits - exact.logits).abs().max()
        assert 0 < difference < 0.03 * exact.logits.abs().max()
        ours = scaled_saliency(chain.guided(found, target), 95.0)
        assert ours.dtype == torch.float32
        theirs = scaled_saliency(wanted.guided(exact, target), 95.0)
        assert torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))[0, 1] > 0.99


@pytest.mark.parametrize("nobody", [False, True])
def test_on_a_gallery_the_chain_gives_the_logits_and_the_guided_gradient_of_the_best_cosine(nobody):
    torch.manual_seed(0)
    rows, others = (torch.nn.functional.normalize(torch.randn(count, 8)) for count in (5, 3))
    trunk = VGG16(classes=8, input_size=32, hidden=16)
    net = GalleryNet(trunk, rows, scale=14.0, others=others if nobody else None).eval().double()
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    chain = GuidedChain(net)
    found = chain.forward(x)
    torch.testing.assert_close(found.logits, net(x))
    wanted = guided_backprop(net, x, net(x)[:, :5].argmax(dim=1))
    torch.testing.assert_close(chain.guided(found), wanted)

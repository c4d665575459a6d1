"""Convolutions with a quarter of the products, beside torch's own in double precision."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.training.winograd import WinogradConv2d


@pytest.mark.parametrize("size", [(12, 12), (7, 7), (6, 14), (1, 3)])
def test_outputs_and_every_gradient_are_those_of_a_convolution(size):
    generator = torch.Generator().manual_seed(0)
    layer = WinogradConv2d(5, 3, 3, padding=1)
    x = torch.randn(19, 5, *size, generator=generator).requires_grad_()  # more crops than are computed at a time
    y = layer(x)
    given = torch.randn(y.shape, generator=generator)
    y.backward(given)

    exact, weight, bias = (one.detach().double().requires_grad_() for one in (x, layer.weight, layer.bias))
    wanted = F.conv2d(exact, weight, bias, padding=1)
    wanted.backward(given.double())
    for found, right in (
        (y, wanted),
        (x.grad, exact.grad),
        (layer.weight.grad, weight.grad),
        (layer.bias.grad, bias.grad),
    ):
        torch.testing.assert_close(found.double(), right, rtol=1e-4, atol=1e-4 * float(right.abs().max()))


def test_it_takes_over_a_convolutions_weights():
    layer = nn.Conv2d(4, 6, 3, padding=1)
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(WinogradConv2d.of(layer)(x), layer(x), rtol=1e-4, atol=1e-4)

"""Guided backpropagation against Captum and against numbers worked out by hand."""

from collections.abc import Callable

import pytest
import torch
from captum.attr import GuidedBackprop
from torch import nn

from models.network.guided_backprop import guided_backprop, guided_relus
from models.network.vgg16 import VGG16


def small_vgg(seed: int = 0) -> VGG16:
    torch.manual_seed(seed)
    return VGG16(classes=5, input_size=32, hidden=16).eval()


def test_it_follows_springenberg_by_hand() -> None:
    # y = -relu(x1) + 2 relu(x2); guided: the gradient -1 at the first ReLU is dropped, 2 passes where x2 > 0.
    net = nn.Sequential(nn.ReLU(), nn.Linear(2, 1, bias=False))
    net[1].weight.data = torch.tensor([[-1.0, 2.0]])
    gradient = guided_backprop(net, torch.tensor([[3.0, 4.0], [3.0, -4.0]]))
    assert gradient.tolist() == [[0.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 0.0), (torch.float32, 1e-6)])
def test_it_equals_captum_in_a_batch(dtype: torch.dtype, tolerance: float) -> None:
    net = small_vgg().to(dtype)
    x = torch.rand(3, 3, 32, 32, dtype=dtype, generator=torch.Generator().manual_seed(1))
    top = net(x).argmax(1)
    ours = guided_backprop(net, x)
    captum = GuidedBackprop(net).attribute(x.clone().requires_grad_(True), target=top)
    assert ours.abs().max() > 0
    assert (ours - captum).abs().max() <= tolerance * captum.abs().max().clamp(min=1)


def test_a_batch_gives_what_single_images_give() -> None:
    net = small_vgg().double()
    x = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    one_by_one = torch.cat([guided_backprop(net, x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(guided_backprop(net, x), one_by_one)


def test_a_chosen_target_changes_the_gradient() -> None:
    net = small_vgg()
    x = torch.rand(1, 3, 32, 32)
    gradients = [guided_backprop(net, x, torch.tensor([k])) for k in (0, 1)]
    assert not torch.equal(gradients[0], gradients[1])


def test_the_model_is_left_untouched_also_after_an_exception() -> None:
    net = small_vgg()
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    (plain_before,) = torch.autograd.grad(net(x)[0, 0], x)
    with pytest.raises(IndexError), guided_relus(net):
        raise IndexError
    guided_backprop(net, x)
    (plain_after,) = torch.autograd.grad(net(x)[0, 0], x)
    assert torch.equal(plain_before, plain_after)
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all("forward" not in vars(module) for module in net.modules())


def test_a_model_without_relu_modules_is_refused() -> None:
    class Functional(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.relu(x)

    with pytest.raises(ValueError, match=r"nn\.ReLU"):
        guided_backprop(Functional(), torch.rand(1, 2))


@pytest.mark.parametrize("call", [torch.relu, nn.functional.relu, torch.Tensor.relu, nn.functional.gelu])
def test_a_rectifier_called_beside_the_modules_is_refused(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.relu, self.second = nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return call(self.second(self.relu(self.first(x))))

    net = Mixed()
    with pytest.raises(ValueError, match=r"calls .*elu itself"):
        guided_backprop(net, torch.rand(1, 4))
    net(torch.rand(1, 4))  # afterwards the model may again do what it wants


def test_another_rectifier_is_refused() -> None:
    with pytest.raises(ValueError, match="GELU"):
        guided_backprop(nn.Sequential(nn.ReLU(), nn.GELU()), torch.rand(1, 2))

"""A network that computes as the 8-bit graphs do, to be trained so: rounding then costs it little.

What is rounded is what ``models.graphs.int8`` rounds: the weights of every convolution but the first, by its output
channels (to ``NARROW_SUMS``, the coarser of the two), and what each of the trunk's ReLUs gives. A rounding has no
gradient: it is passed through (Bengio et al. 2013). The largest value of an activation is learnt with the weights from
what is cut off by it (Choi et al. 2018, "PACT"), from the largest that is seen at the start.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from models.graphs.narrow_sums import NARROW_SUMS
from models.network.vgg16 import VGG16, block_start

_TINY = 1e-6


class RoundedConv(nn.Conv2d):
    """A convolution whose weights are integers of at most ``NARROW_SUMS`` times a scale per output channel."""

    @classmethod
    def of(cls, layer: nn.Conv2d) -> RoundedConv:
        """With a layer's weights."""
        found = cls(layer.in_channels, layer.out_channels, 3, padding=1).to(layer.weight.device)
        found.load_state_dict(layer.state_dict())
        return found

    def rounded(self) -> torch.Tensor:
        """The weights that are used; the gradient is that of the weights."""
        return self.weight + (rounded_rows(self.weight) - self.weight).detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.rounded(), self.bias, padding=1)


class RoundedRelu(nn.Module):
    """A ReLU that gives one of 256 values from 0 to ``largest``, which is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        largest = self.largest.clamp(min=_TINY)
        kept = torch.minimum(F.relu(x), largest)
        step = largest / 255
        return kept + (torch.round(kept / step) * step - kept).detach()


class RoundedNet(nn.Module):
    """A VGG16 that rounds; the blocks before ``first_block`` are not trained, but round too."""

    def __init__(self, model: VGG16, first_block: int) -> None:
        super().__init__()
        self.normalise = copy.deepcopy(model.normalise)
        first, *others = copy.deepcopy(model.trunk)
        layers = [first, *map(_rounding, others)]
        start = block_start(first_block)
        self.frozen = nn.Sequential(*layers[:start]).requires_grad_(False)
        self.trained = nn.Sequential(*layers[start:])
        self.head = nn.Sequential(*(layer for layer in copy.deepcopy(model.head) if not isinstance(layer, nn.Dropout)))
        self.trained.requires_grad_(True)  # of a bundle nothing asks for a gradient
        self.head.requires_grad_(True)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) RGB on 0-255 -> (N, D), not of unit length."""
        with torch.no_grad():
            low = self.frozen(self.normalise(pixels))
        found: torch.Tensor = self.head(self.trained(low))
        return found

    @torch.no_grad()
    def start_from_data(self, pixels: torch.Tensor) -> None:
        """Set every largest value from what ``pixels`` (N, 3, S, S) give, layer by layer."""
        x = self.normalise(pixels)
        for layer in [*self.frozen, *self.trained]:
            if isinstance(layer, RoundedRelu):
                layer.largest.copy_(x.max().float().clamp(min=_TINY))
            x = layer(x)

    def ranges(self) -> dict[str, float]:
        """The largest values, by the names that ``models.graphs.int8`` knows."""
        layers = enumerate([*self.frozen, *self.trained])
        relus = {f"relu{place}": layer for place, layer in layers if isinstance(layer, RoundedRelu)}
        return {name: float(relu.largest.detach().clamp(min=_TINY)) for name, relu in relus.items()}

    @torch.no_grad()
    def fold_into(self, model: VGG16) -> None:
        """Write the weights, rounded as they were used, into ``model``, on the CPU and for use."""
        ours, theirs = [*self.frozen, *self.trained, *self.head], [*model.trunk, *model.head]
        pairs = ([one for one in layers if isinstance(one, nn.Conv2d | nn.Linear)] for layers in (ours, theirs))
        for layer, target in zip(*pairs, strict=True):
            assert layer.bias is not None
            assert target.bias is not None
            target.weight.copy_(layer.rounded() if isinstance(layer, RoundedConv) else layer.weight)
            target.bias.copy_(layer.bias)
        model.eval()


def rounded_rows(weight: torch.Tensor, levels: int = NARROW_SUMS) -> torch.Tensor:
    """As ``models.graphs.builder.quantise`` and back: integers of at most ``levels``, times a scale per row."""
    largest = weight.abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    scale = torch.where(largest > 0, largest / levels, torch.ones_like(largest))
    return torch.round(weight / scale).clamp(-levels, levels) * scale


def _rounding(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return RoundedConv.of(layer)
    return RoundedRelu() if isinstance(layer, nn.ReLU) else layer

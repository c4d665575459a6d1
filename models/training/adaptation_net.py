"""The net that adapts a trunk: normalisation in the trained blocks, an embedding, two heads; and its margin loss."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from models.network.architecture import trunk_width
from models.network.vgg16 import VGG16, block_start


class AdaptationNet(nn.Module):
    """The trunk with normalisation in the trained blocks, an embedding, and the two heads."""

    def __init__(self, model: VGG16, *, people: int, teacher_width: int, first_block: int) -> None:
        super().__init__()
        self.size = model.input_size
        self.normalise = model.normalise
        start = block_start(first_block)
        self.frozen = model.trunk[:start].requires_grad_(False)
        layers: list[nn.Module] = []
        for layer in model.trunk[start:]:
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
        self.trained = nn.Sequential(*layers)
        self.embed = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(trunk_width(self.size), 512), nn.BatchNorm1d(512)
        )
        self.people = nn.Parameter(torch.randn(people, 512) * 0.05)
        self.to_teacher = nn.Linear(512, teacher_width)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, S', S') RGB on 0-255 -> (N, 512, s, s), what the trunk gives; S' may be smaller than its size."""
        with torch.no_grad():
            low = self.frozen(self.normalise(pixels))
        high: torch.Tensor = self.trained(low)
        side = self.size // 32
        return high if high.shape[-1] == side else F.adaptive_avg_pool2d(high, side)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, S', S') RGB on 0-255 -> embedding (N, 512)."""
        embedding: torch.Tensor = self.embed(self.features(pixels))
        return embedding

    @torch.no_grad()
    def start_normalisation_from_data(self, pixels: torch.Tensor) -> None:
        """Set each inserted layer to the identity on ``pixels``: its statistics, undone by scale and shift."""
        x = self.frozen(self.normalise(pixels))
        for layer in self.trained:
            if isinstance(layer, nn.BatchNorm2d):
                mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.copy_(mean)
                layer.running_var.copy_(variance)
                layer.weight.copy_((variance + layer.eps).sqrt())
                layer.bias.copy_(mean)
            else:
                x = layer(x)

    @torch.no_grad()
    def fold_into(self, model: VGG16) -> None:
        """Write the trained convolutions, normalisation folded in, back into a plain VGG16."""
        folded: list[nn.Conv2d] = []
        layers = list(self.trained)
        for conv, norm in itertools.pairwise(layers):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None
                assert norm.running_var is not None
                assert conv.bias is not None
                factor = norm.weight / (norm.running_var + norm.eps).sqrt()
                plain = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1)
                plain.weight.copy_(conv.weight * factor.view(-1, 1, 1, 1))
                assert plain.bias is not None
                plain.bias.copy_((conv.bias - norm.running_mean) * factor + norm.bias)
                folded.append(plain)
        targets = list(model.convolutions().values())[-len(folded) :]
        for source, target in zip(folded, targets, strict=True):
            target.load_state_dict(source.state_dict())


def cosface(
    embedding: torch.Tensor, people: torch.Tensor, labels: torch.Tensor, *, scale: float, margin: float
) -> torch.Tensor:
    """CosFace loss (Wang et al. 2018, equation 4): the right cosine must win by ``margin``."""
    cosines = F.normalize(embedding) @ F.normalize(people).T
    cosines = cosines - margin * F.one_hot(labels, len(people))
    return F.cross_entropy(scale * cosines, labels)

"""A VGG16 with batch normalisation while it is trained, folded back into its weights at the end."""

from __future__ import annotations

import copy
import itertools
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from models.network.vgg16 import VGG16, block_start
from models.training.winograd import WinogradConv2d

_WIDE = 128  # input channels: with fewer the transforms cost more than they save


class DistilNet(nn.Module):
    """A VGG16 with batch normalisation after each convolution of the trained blocks and after its hidden layer.

    ``fast``, for CPUs: wide convolutions are computed by ``models.training.winograd``, and the blocks that are not
    trained by OpenVINO where it is installed, in float32 as well.
    """

    def __init__(self, model: VGG16, first_block: int, *, fast: bool = False) -> None:
        super().__init__()
        self._fast, self._compiled = fast, dict[torch.Size, Any]()
        start = block_start(first_block)
        self.normalise = copy.deepcopy(model.normalise)
        self.frozen = copy.deepcopy(model.trunk[:start]).requires_grad_(False)
        self.trained = _with_normalisation(copy.deepcopy(model.trunk[start:]), fast=fast)
        self.head = _with_normalisation(copy.deepcopy(model.head))
        self.trained.requires_grad_(True)  # of a bundle nothing asks for a gradient
        self.head.requires_grad_(True)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) RGB on 0-255 -> (N, D), not of unit length."""
        found: torch.Tensor = self.head(self.trained(self._low(pixels)))
        return found

    @torch.no_grad()
    def _low(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the trained blocks are given."""
        below = nn.Sequential(self.normalise, self.frozen)
        if not self._fast or not len(self.frozen) or find_spec("openvino") is None:
            low: torch.Tensor = below(pixels)
            return low
        pixels = pixels.contiguous()
        if pixels.shape not in self._compiled:
            self._compiled[pixels.shape] = _compiled(below.eval(), pixels)
        found = torch.from_numpy(self._compiled[pixels.shape](pixels.numpy())[0])
        return found.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def start_from_data(self, pixels: torch.Tensor) -> None:
        """Set each inserted layer to the identity on ``pixels``, so that the function does not change."""
        x = self._low(pixels)
        for layer in [*self.trained, *self.head]:
            if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
                dims = [0, 2, 3] if x.dim() == 4 else [0]
                mean, variance = x.mean(dims), x.var(dims, unbiased=False)
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
        """Write what was trained, normalisation folded in, back into ``model``, on the CPU and for use."""
        ours = [layer for layer in [*self.trained, *self.head] if isinstance(layer, nn.Conv2d | nn.Linear)]
        norms = {id(before): after for before, after in _pairs([*self.trained, *self.head])}
        theirs = [layer for layer in [*model.trunk, *model.head] if isinstance(layer, nn.Conv2d | nn.Linear)]
        for layer, target in zip(ours, theirs[-len(ours) :], strict=True):
            weight, bias = layer.weight, layer.bias
            assert bias is not None
            assert target.bias is not None
            norm = norms.get(id(layer))
            if norm is not None:
                assert norm.running_mean is not None
                assert norm.running_var is not None
                factor = norm.weight / (norm.running_var + norm.eps).sqrt()
                weight = weight * factor.view(-1, *[1] * (weight.dim() - 1))
                bias = (bias - norm.running_mean) * factor + norm.bias
            target.weight.copy_(weight)
            target.bias.copy_(bias)
        model.eval()


def _compiled(layers: nn.Module, pixels: torch.Tensor) -> Any:
    """The layers in OpenVINO, for so many pictures of this size."""
    import openvino

    network = openvino.convert_model(torch.export.export(layers, (pixels,)))
    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(network, "CPU", settings)


def _pairs(layers: list[nn.Module]) -> list[tuple[nn.Module, nn.BatchNorm2d | nn.BatchNorm1d]]:
    """Each layer that a normalisation follows, with it."""
    following = itertools.pairwise(layers)
    return [(before, after) for before, after in following if isinstance(after, nn.BatchNorm2d | nn.BatchNorm1d)]


def _with_normalisation(layers: nn.Sequential, *, fast: bool = False) -> nn.Sequential:
    """A normalisation after each convolution and each linear layer but the last of a head; nothing is dropped out."""
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    found: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.Dropout):
            continue
        if fast and isinstance(layer, nn.Conv2d) and layer.in_channels >= _WIDE:
            found.append(WinogradConv2d.of(layer))
        else:
            found.append(layer)
        if isinstance(layer, nn.Conv2d):
            found.append(nn.BatchNorm2d(layer.out_channels, momentum=0.02))
        elif isinstance(layer, nn.Linear) and layer is not linear[-1]:
            found.append(nn.BatchNorm1d(layer.out_features, momentum=0.02))
    return nn.Sequential(*found)

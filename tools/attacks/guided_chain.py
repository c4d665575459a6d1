"""Logits and guided saliency in one differentiable graph: what attacks on the saliency itself need.

``create_graph`` through guided ReLUs does not serve: a ReLU net's saliency is piecewise constant (its gates
are x > 0), so that its derivative is zero, and softening the gates inside such an autograd function would
send the second derivative back through the guided rule as well, where the true one belongs. So the backward
pass is written out in ordinary operations, and its gates may be soft, sigmoid(sharpness x / scale), as
Dombrowski et al. 2019 ("Explanations can be manipulated") soften the rectifier. Forward, the rectifiers
stay exact. Hard gates give guided backpropagation itself (tests: Captum).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from models.network.gallery_net import Cosines, GalleryNet
from models.network.vgg16 import VGG16, Normalise
from models.saliency_mask import rank_of_percentile
from models.training.half_precision import bfloat16
from tools.attacks.half_precision import HalfPrecision


@dataclass(frozen=True)
class Pass:
    """One forward pass: ``logits`` (N, K) and what each layer saw."""

    logits: torch.Tensor
    inputs: list[torch.Tensor]
    routes: list[torch.Tensor | None]  # where a max-pool took its maxima


class GuidedChain:
    """A network that is one chain of layers, read from a ``VGG16`` or an ``nn.Sequential``.

    Of a ``GalleryNet`` the guided gradient is that of a person's cosine, never of nobody's logit.

    One in ``HalfPrecision`` has its convolutions computed in bfloat16, forward and backward; logits are float32.

    Raises:
        ValueError: a layer for which the guided rule is not written out.
    """

    def __init__(self, model: nn.Module) -> None:
        self.half_precision = isinstance(model, HalfPrecision)
        model = model.model if isinstance(model, HalfPrecision) else model
        self.on_grey_levels = isinstance(model, VGG16 | GalleryNet)  # they take [0, 1] and work on 0 to 255
        self.layers = _layers(model)
        known = (Normalise, nn.Conv2d, nn.Linear, nn.ReLU, nn.MaxPool2d, nn.Flatten, Cosines)
        for layer in self.layers:
            plain = not isinstance(layer, nn.Conv2d) or (
                layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and not isinstance(layer.padding, str)
            )
            if not isinstance(layer, known) or not plain:
                raise ValueError(f"no guided rule is written out for {layer}")

    def forward(self, x: torch.Tensor) -> Pass:
        """(N, 3, S, S) float RGB in [0, 1] -> the pass; the same logits as the model's."""
        value = x * 255.0 if self.on_grey_levels else x
        inputs: list[torch.Tensor] = []
        routes: list[torch.Tensor | None] = []
        for layer in self.layers:
            inputs.append(value)
            route = None
            if isinstance(layer, nn.MaxPool2d):
                value, route = F.max_pool2d(value, layer.kernel_size, layer.stride, layer.padding, return_indices=True)
            elif isinstance(layer, nn.Conv2d):
                with bfloat16(self.half_precision, value.device.type):
                    value = layer(value)
            else:
                value = layer(_wide(value) if isinstance(layer, nn.Linear | Cosines) else value)
            routes.append(route)
        return Pass(value, inputs, routes)

    def guided(
        self, found: Pass, target: torch.Tensor | None = None, *, sharpness: float | None = None
    ) -> torch.Tensor:
        """Guided gradient (N, 3, S, S) of one logit per image (the largest, or ``target``).

        ``sharpness`` None: hard gates. Otherwise soft gates, in units of each layer's mean absolute input.
        """
        if target is None:
            last = self.layers[-1]
            people = last.people if isinstance(last, Cosines) else found.logits.shape[1]  # without nobody's logit
            target = found.logits[:, :people].argmax(dim=1)
        gradient = F.one_hot(target, found.logits.shape[1]).to(found.logits.dtype)
        for layer, value, route in zip(
            reversed(self.layers), reversed(found.inputs), reversed(found.routes), strict=True
        ):
            with bfloat16(self.half_precision and isinstance(layer, nn.Conv2d), gradient.device.type):
                gradient = _back(layer, value, route, gradient, sharpness)
        gradient = _wide(gradient)
        return gradient * 255.0 if self.on_grey_levels else gradient


def scaled_saliency(gradient: torch.Tensor, percentile: float) -> torch.Tensor:
    """(N, 3, S, S) -> (N, S, S): absolute sum over channels, (x - min) / (p - min) as
    ``models.saliency_mask.scale_saliency`` does, but differentiable and *not* clipped above, so that a pixel
    beyond the scale still feels a slope.
    """
    total = gradient.abs().sum(dim=1)
    flat = total.flatten(1)
    rank = rank_of_percentile(flat.shape[1], percentile)
    high = flat.kthvalue(rank + 1, dim=1).values.view(-1, 1, 1)
    low = flat.amin(dim=1).view(-1, 1, 1)
    span = high - low
    return torch.where(span > 0, (total - low) / torch.where(span > 0, span, 1), torch.zeros_like(total))


def _layers(model: nn.Module) -> list[nn.Module]:
    if isinstance(model, GalleryNet):
        return [*_layers(model.trunk), model.cosines]
    if isinstance(model, VGG16):
        return [model.normalise, *_layers(model.trunk), *_layers(model.head)]
    if isinstance(model, nn.Sequential):
        return [layer for child in model for layer in _layers(child)]
    return [] if isinstance(model, nn.Dropout) else [model]


def _back(
    layer: nn.Module,
    value: torch.Tensor,
    route: torch.Tensor | None,
    gradient: torch.Tensor,
    sharpness: float | None,
) -> torch.Tensor:
    if isinstance(layer, nn.ReLU):
        return _rectified(gradient.clamp(min=0), value, sharpness)
    if isinstance(layer, nn.Conv2d):
        inner = cast("tuple[int, int]", layer.padding)
        outer = [kernel - 1 - pad for kernel, pad in zip(layer.kernel_size, inner, strict=True)]
        return F.conv2d(gradient, layer.weight.transpose(0, 1).flip(2, 3), padding=outer)
    if isinstance(layer, nn.Linear):
        return gradient @ layer.weight
    if isinstance(layer, Cosines):
        unit, length = F.normalize(value), value.norm(dim=1, keepdim=True).clamp(min=1e-12)
        across = layer.scale * gradient[:, : layer.people] @ layer.rows
        along: torch.Tensor = (across * unit).sum(dim=1, keepdim=True) * unit
        back: torch.Tensor = (across - along) / length
        return back
    if isinstance(layer, nn.MaxPool2d):
        assert route is not None
        kernel, stride, padding = (_pair(each) for each in (layer.kernel_size, layer.stride, layer.padding))
        return F.max_unpool2d(gradient, route, kernel, stride, padding, output_size=list(value.shape))
    if isinstance(layer, Normalise):
        gradient = gradient * layer.scale
        return gradient[:, [2, 1, 0]] if layer.spec.channel_order == "BGR" else gradient
    return gradient.reshape(value.shape)  # Flatten


def _wide(value: torch.Tensor) -> torch.Tensor:
    """bfloat16 as float32, anything else as it is."""
    return value.float() if value.dtype == torch.bfloat16 else value


def _rectified(gradient: torch.Tensor, value: torch.Tensor, sharpness: float | None) -> torch.Tensor:
    """``gradient`` behind the gate of a ReLU that saw ``value``."""
    if sharpness is None:
        return torch.where(value > 0, gradient, 0)
    scale = value.abs().flatten(1).mean(dim=1).view(-1, *([1] * (value.ndim - 1)))
    return gradient * torch.sigmoid(value * (sharpness / (scale + 1e-12)))


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else value

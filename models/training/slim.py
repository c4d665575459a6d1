"""Takes channels away from a VGG16 so that each layer still gives nearly what it gave, without any training.

Layer by layer (Luo et al. 2017, "ThiNet"; He et al. 2017, "Channel pruning"): of a layer's channels those are kept
that together foretell best, by least squares, what the *next* layer gave in the whole network, and the next layer's
weights are that foretelling. With half of the channels a convolution has a quarter of the products.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from models.network.vgg16 import VGG16

_AT_ONCE = 32  # crops
_STEPS = 64  # in how many steps a layer's channels are chosen
_RIDGE = 1e-4  # of the mean diagonal: what hardly varies gets no large weights
_PATCHES = 30_000  # that a layer is fitted on

_Layer = nn.Conv2d | nn.Linear


def slimmed(model: VGG16, pixels: torch.Tensor, slim: int, *, seed: int = 0) -> VGG16:
    """A network with one of ``slim`` of the channels that gives nearly what ``model`` gives of ``pixels``.

    Args:
        model: with all its channels; it stays as it is.
        pixels: (N, 3, S, S) RGB on 0-255, of the kind that the network is for; a few hundred.
        slim: 2 or more.

    Raises:
        ValueError: the model is slim already.
    """
    if model.slim != 1 or slim < 2:
        raise ValueError(f"1/{slim} of the channels of a network with 1/{model.slim} of VGG16's: give a whole one")
    generator = torch.Generator().manual_seed(seed)
    small = VGG16(classes=model.classes, input_size=model.input_size, hidden=model.hidden, spec=model.spec, slim=slim)
    theirs, ours = _layers(model), _layers(small)
    with torch.inference_mode():
        whole = given = model.normalise(pixels)
        before: tuple[_Layer, torch.Tensor, torch.Tensor] | None = None
        for (layer, after), (target, _) in zip(theirs, ours, strict=True):
            channels = target.in_channels if isinstance(target, nn.Conv2d) else target.in_features
            kept, weight, bias = _fitted(layer, whole, given, channels, generator)
            if before is not None:
                _write(before[0], before[1][kept], before[2][kept])
            given = _through(weight, bias, after, given[:, kept])
            whole = _through(layer.weight, layer.bias, after, whole)
            before = target, weight, bias
        assert before is not None
        _write(*before)
    return small.eval()


def _layers(model: VGG16) -> list[tuple[_Layer, nn.Module]]:
    """Each convolution and linear layer with what comes after it, before the next."""
    found: list[tuple[_Layer, list[nn.Module]]] = []
    for module in [*model.trunk, *model.head]:
        if isinstance(module, nn.Conv2d | nn.Linear):
            found.append((module, []))
        elif isinstance(module, nn.ReLU | nn.MaxPool2d):
            found[-1][1].append(module)
    return [(layer, nn.Sequential(*after)) for layer, after in found]


def _through(weight: torch.Tensor, bias: torch.Tensor | None, after: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A convolution or linear layer of these, and what comes after it."""
    found: list[torch.Tensor] = []
    for part in torch.split(x, _AT_ONCE):
        linear = weight.dim() == 2
        y = F.linear(part.flatten(1), weight, bias) if linear else F.conv2d(part, weight, bias, padding=1)
        found.append(after(y))
    return torch.cat(found)


def _fitted(
    layer: _Layer, whole: torch.Tensor, given: torch.Tensor, channels: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which inputs of ``given`` are kept, and the weight and bias that give of them what ``layer`` gives of ``whole``.

    A linear layer of a trunk's last maps keeps whole maps: its inputs are ``channels`` numbers in groups.
    """
    inputs = given.shape[1]
    if isinstance(layer, nn.Conv2d):
        places = torch.randint(given.shape[2] * given.shape[3], (max(1, _PATCHES // len(given)),), generator=generator)
        x, of = _patches(given, places), _patches(whole, places)
    else:
        x, of = given.flatten(1), whole.flatten(1)
        channels //= x.shape[1] // inputs
    assert layer.bias is not None
    y = F.linear(of, layer.weight.flatten(1), layer.bias)
    mean, middle = x.mean(0), y.mean(0)
    x, y = x - mean, y - middle
    gram, cross = (x.T @ x / len(x)).double(), (x.T @ y / len(x)).double()
    gram.diagonal().add_(_RIDGE * float(gram.diagonal().mean()))
    size = x.shape[1] // inputs
    kept = torch.arange(inputs) if channels == inputs else _chosen(gram, cross, channels, size)
    rows = (kept.view(-1, 1) * size + torch.arange(size)).flatten()
    weight = torch.linalg.solve(gram[rows][:, rows], cross[rows]).T.float()
    bias = middle - weight @ mean[rows]
    return kept, weight.reshape(-1, len(kept), 3, 3) if isinstance(layer, nn.Conv2d) else weight, bias


def _patches(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N * P, C * 9): what a 3 x 3 convolution sees at each of the places, counted by rows."""
    windows = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)
    seen = windows[:, :, places // x.shape[3], places % x.shape[3]]
    return seen.transpose(1, 2).flatten(2).flatten(0, 1)


def _chosen(gram: torch.Tensor, cross: torch.Tensor, count: int, size: int) -> torch.Tensor:
    """The ``count`` groups of ``size`` inputs that foretell most, chosen a few at a time beside those chosen before.

    Args:
        gram: (G * size, G * size) mean products of the inputs.
        cross: (G * size, O) mean products of inputs and outputs.
    """
    groups = len(gram) // size
    gram, cross = gram.clone(), cross.clone()
    chosen = torch.zeros(groups, dtype=torch.bool)
    at = torch.arange(len(gram)).view(groups, size)
    floor = _RIDGE * gram.diagonal().mean() * torch.eye(size, dtype=gram.dtype)
    while (missing := count - int(chosen.sum())) > 0:
        own = gram.view(groups, size, groups, size)[torch.arange(groups), :, torch.arange(groups)] + floor
        mine = cross.view(groups, size, -1)
        gain = (mine * torch.linalg.solve(own, mine)).sum((1, 2))
        gain[chosen] = -torch.inf
        best = gain.topk(min(missing, max(1, count // _STEPS))).indices
        rows = at[best].flatten()
        block = gram[rows][:, rows] + _RIDGE * floor.diagonal()[0] * torch.eye(len(rows), dtype=gram.dtype)
        foretold = torch.linalg.solve(block, torch.cat([gram[rows], cross[rows]], dim=1))
        left = gram[:, rows]
        cross -= left @ foretold[:, len(gram) :]
        gram -= left @ foretold[:, : len(gram)]
        chosen[best] = True
    return chosen.nonzero().flatten()


def _write(layer: _Layer, weight: torch.Tensor, bias: torch.Tensor) -> None:
    assert layer.bias is not None
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)

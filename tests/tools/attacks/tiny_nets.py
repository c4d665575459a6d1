"""Nets and pictures small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from models.arrays import Bytes


def two_layers(size: int = 4, classes: int = 3, hidden: int = 5, seed: int = 0) -> nn.Sequential:
    """Flatten, linear, ReLU, linear in float64."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, hidden), nn.ReLU(), nn.Linear(hidden, classes))
    return net.double().eval()


def convolutional(size: int = 12, classes: int = 4, seed: int = 1, gain: float = 3.0) -> nn.Sequential:
    """Two convolutions with pooling and two linear layers in float64: VGG in small."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * (size // 2) ** 2, 10),
        nn.ReLU(),
        nn.Linear(10, classes),
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(gain)
        net[-1].weight.mul_(2)
    return net.double().eval()


def pictures(count: int, size: int, seed: int = 2) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def named(net: nn.Module, crops: Bytes) -> np.ndarray:
    """(N, K) probabilities of uint8 crops, by plain torch."""
    like = next(net.parameters())
    with torch.no_grad():
        return net(torch.from_numpy(crops).permute(0, 3, 1, 2).to(like.dtype) / 255).softmax(1).numpy()


def other_classes(net: nn.Module, crops: Bytes) -> tuple[np.ndarray, np.ndarray]:
    """What the net says of the crops, and for each the class it finds second."""
    order = named(net, crops).argsort(axis=1)
    return order[:, -1], order[:, -2]

"""3 x 3 convolutions with a quarter of the products, for training on CPUs (Lavin & Gray 2016, "Fast Algorithms for
Convolutional Neural Networks").

A tile of 4 x 4 outputs takes 36 products a pair of channels in place of 144: tiles of 6 x 6 inputs and the kernels are
transformed, multiplied place by place (36 matrix products over the channels), and transformed back. Everything is a
matrix product, so its gradient is one too. oneDNN, which torch calls, has this for no CPU in float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

TILE, SEEN = 4, 6  # outputs and inputs of a tile, a side
_AT_ONCE = 16  # crops
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)  # where the polynomials are compared; the sixth is infinity


class WinogradConv2d(nn.Conv2d):
    """A 3 x 3 convolution with a border of one; the same as ``nn.Conv2d`` but for the last bits."""

    @classmethod
    def of(cls, layer: nn.Conv2d) -> WinogradConv2d:
        """With the weights of ``layer``, a convolution of this kind."""
        found = cls(layer.in_channels, layer.out_channels, 3, padding=1)
        found.load_state_dict(layer.state_dict())
        return found

    def _conv_forward(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        found: torch.Tensor = _Convolution.apply(input.permute(0, 2, 3, 1), weight)
        return (found if bias is None else found + bias).permute(0, 3, 1, 2)


class _Convolution(torch.autograd.Function):
    """(N, H, W, C) and (O, C, 3, 3) -> (N, H, W, O), some crops at a time so that these stay in the caches."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        count, height, width, inputs = x.shape
        down, across = -(-height // TILE), -(-width // TILE)
        kernel, inside, back = _transforms()
        kernels = (kernel @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(SEEN**2, inputs, -1)
        padded = F.pad(x, (0, 0, 1, across * TILE + 1 - width, 1, down * TILE + 1 - height))
        seen = x.new_empty(SEEN**2, count, down * across, inputs)
        found = x.new_empty(count, down, TILE, across, TILE, len(weight))
        for some in _groups(count):
            tiles = padded[some].unfold(1, SEEN, TILE).unfold(2, SEEN, TILE).permute(4, 5, 0, 1, 2, 3)
            seen[:, some] = (inside @ tiles.reshape(SEEN**2, -1)).view(SEEN**2, -1, down * across, inputs)
            products = torch.bmm(seen[:, some].flatten(1, 2), kernels)
            places = (back @ products.view(SEEN**2, -1)).view(TILE, TILE, -1, down, across, len(weight))
            found[some] = places.permute(2, 3, 0, 4, 1, 5)
        ctx.save_for_backward(seen, kernels)
        ctx.size = height, width
        return found.view(count, down * TILE, across * TILE, -1)[:, :height, :width]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen, kernels = ctx.saved_tensors
        count, height, width, outputs = gradient.shape
        down, across = -(-height // TILE), -(-width // TILE)
        kernel, inside, back = _transforms()
        padded = F.pad(gradient, (0, 0, 0, across * TILE - width, 0, down * TILE - height))
        placed = padded.reshape(count, down, TILE, across, TILE, outputs)
        of_x = gradient.new_zeros(count, down * TILE + 2, across * TILE + 2, kernels.shape[1])
        of_kernels = torch.zeros_like(kernels)
        for some in _groups(count):
            places = placed[some].permute(2, 4, 0, 1, 3, 5).reshape(TILE**2, -1)
            products = (back.T @ places).view(SEEN**2, -1, outputs)
            of_kernels.baddbmm_(seen[:, some].flatten(1, 2).transpose(1, 2), products)
            tiles = inside.T @ torch.bmm(products, kernels.transpose(1, 2)).view(SEEN**2, -1)
            _add_tiles(of_x[some], tiles.view(SEEN, SEEN, -1, down, across, kernels.shape[1]))
        of_weight = (kernel.T @ of_kernels.view(SEEN**2, -1)).view(3, 3, -1, outputs).permute(3, 2, 0, 1)
        return of_x[:, 1 : 1 + height, 1 : 1 + width], of_weight


def _add_tiles(total: torch.Tensor, tiles: torch.Tensor) -> None:
    """Add (6, 6, N, down, across, C) where the tiles lie in (N, 4 down + 2, 4 across + 2, C)."""
    down, across = tiles.shape[3:5]
    for row in range(SEEN):
        for column in range(SEEN):
            rows, columns = slice(row, row + TILE * down - 3, TILE), slice(column, column + TILE * across - 3, TILE)
            total[:, rows, columns] += tiles[row, column]


def _groups(count: int) -> list[slice]:
    return [slice(first, first + _AT_ONCE) for first in range(0, count, _AT_ONCE)]


@cache
def _transforms() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of kernels (36, 9), of tiles (36, 36), and back to outputs (16, 36), by Toom and Cook's construction.

    The products of polynomials of degree 3 and 2 have degree 5: they are known by their values at six points.
    """

    def values(degree: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        rows = [[point**power for power in range(degree)] for point in _POINTS]
        return np.array([*rows, [0.0] * (degree - 1) + [1.0]])

    scale = np.array([np.prod([p - q for q in _POINTS if q != p]) for p in _POINTS] + [1.0])
    kernel, output, inside = values(3) / scale[:, None], values(TILE), np.linalg.inv(values(SEEN)) * scale
    both = (np.kron(kernel, kernel), np.kron(inside.T, inside.T), np.kron(output.T, output.T))
    first, second, third = (torch.from_numpy(one).float().contiguous() for one in both)
    return first, second, third

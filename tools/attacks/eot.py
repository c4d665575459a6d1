"""Expectation over transformations (Athalye et al. 2018): the accessory and the whole crop move at every step.

Two things move on a real face: the accessory against the face (Sharif et al. 2016: shift and rotation), and
the whole crop, because landmarks jitter, faces turn and come nearer, and the light changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Jitter:
    """Half-widths of uniform draws: ``shift`` as a share of the crop's side, ``degrees``, ``scale`` as a
    share, ``gain`` (brightness, a factor exp(+-gain)), ``offset`` in grey levels; ``blur``: the crop loses
    detail, down to this share of its side (1: none).
    """

    shift: float = 0.0
    degrees: float = 0.0
    scale: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    blur: float = 1.0

    @property
    def moves(self) -> bool:
        return bool(self.shift or self.degrees or self.scale)


@dataclass(frozen=True)
class EOT:
    """``samples`` random views per image and step.

    The defaults are Sharif et al.'s physical mode: the accessory shifts +-4 pixels of 224 and turns
    +-4 degrees, the face stays.
    """

    accessory: Jitter = Jitter(shift=4 / 224, degrees=4)
    crop: Jitter = Jitter()
    samples: int = 1

    def view(
        self,
        texture: torch.Tensor,
        region: torch.Tensor,
        crops: torch.Tensor,
        generators: list[torch.Generator],
    ) -> torch.Tensor:
        """One random view per image, differentiable in ``texture``.

        Args:
            texture: (n, 3, S, S) grey levels. region: (n, 1, S, S) bool. crops: (n, 3, S, S) grey levels.
            generators: n; each image draws from its own, so that it sees the same views in any batch.

        Returns:
            (n, 3, S, S) in [0, 255].
        """
        alpha = region.to(texture.dtype)
        draws = [_draw(generator) for generator in generators]
        if self.accessory.moves:
            grid = _grid(self.accessory, torch.stack([d[0] for d in draws]), texture)
            texture = F.grid_sample(texture, grid, padding_mode="border", align_corners=False)
            alpha = F.grid_sample(alpha, grid, padding_mode="zeros", align_corners=False)
        texture = _relit(self.accessory, torch.stack([d[0] for d in draws]), texture)
        pixels = alpha * texture + (1 - alpha) * crops
        if self.crop.moves:
            grid = _grid(self.crop, torch.stack([d[1] for d in draws]), pixels)
            pixels = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
        if self.crop.blur < 1:
            pixels = _blurred(pixels, self.crop.blur, draws)
        return _relit(self.crop, torch.stack([d[1] for d in draws]), pixels).clamp(0, 255)


#: For a scene before a camera (the demo): landmarks jitter by a few hundredths of the face, heads turn a
#: little, the light changes, and faces come down to half the crop's resolution.
SCENE = EOT(
    accessory=Jitter(shift=0.008, degrees=1.5, scale=0.02),
    crop=Jitter(shift=0.03, degrees=5.0, scale=0.06, gain=0.25, offset=15.0, blur=0.5),
    samples=4,
)


def _draw(generator: torch.Generator) -> torch.Tensor:
    """(2, 7) uniform in [-1, 1]: x, y, angle, scale, gain, offset, blur for accessory and crop."""
    return torch.rand(2, 7, generator=generator) * 2 - 1


def _grid(jitter: Jitter, draw: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    draw = draw.to(device=like.device, dtype=like.dtype)
    angle = draw[:, 2] * jitter.degrees * math.pi / 180
    zoom = 1 + draw[:, 3] * jitter.scale
    theta = like.new_zeros(len(draw), 2, 3)
    theta[:, 0, 0] = torch.cos(angle) * zoom
    theta[:, 0, 1] = -torch.sin(angle) * zoom
    theta[:, 1, 0] = torch.sin(angle) * zoom
    theta[:, 1, 1] = torch.cos(angle) * zoom
    theta[:, 0, 2] = draw[:, 0] * 2 * jitter.shift
    theta[:, 1, 2] = draw[:, 1] * 2 * jitter.shift
    return F.affine_grid(theta, [len(draw), 3, like.shape[2], like.shape[3]], align_corners=False)


def _relit(jitter: Jitter, draw: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    if not (jitter.gain or jitter.offset):
        return pixels
    draw = draw.to(device=pixels.device, dtype=pixels.dtype)
    gain = torch.exp(draw[:, 4] * jitter.gain).view(-1, 1, 1, 1)
    return pixels * gain + (draw[:, 5] * jitter.offset).view(-1, 1, 1, 1)


def _blurred(pixels: torch.Tensor, least: float, draws: list[torch.Tensor]) -> torch.Tensor:
    size = pixels.shape[-1]
    views = []
    for one, draw in zip(pixels, draws, strict=True):
        side = round(size * (least + (1 - least) * (float(draw[1, 6]) + 1) / 2))
        small = F.interpolate(one[None], size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        views.append(F.interpolate(small, size=(size, size), mode="bilinear", align_corners=False))
    return torch.cat(views)

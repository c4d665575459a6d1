"""How a texture begins."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from tools.attacks.batch import Batch
from tools.attacks.losses import probability

Start = Literal["best_colour", "grey", "random", "crop"]

#: Grey, orange, brown, gold, yellow (RGB): Sharif et al.'s five solid colours.
COLOURS: tuple[tuple[int, int, int], ...] = (
    (128, 128, 128),
    (220, 130, 0),
    (160, 105, 55),
    (200, 175, 30),
    (220, 210, 50),
)


def best_colour(model: nn.Module, batch: Batch, *, joint: bool = False) -> torch.Tensor:
    """The solid colour (n, 3, S, S) that alone serves best, by one forward pass over all five.

    ``joint``: one colour for all images, the best on average.
    """
    count, colours = len(batch), len(COLOURS)
    solid = batch.crops.new_tensor(COLOURS).view(1, colours, 3, 1, 1)
    pixels = torch.where(batch.region.unsqueeze(1), solid, batch.crops.unsqueeze(1)).flatten(0, 1)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        confidence = probability(model(pixels / 255), batch.goal.repeat_interleave(colours)).view(count, colours)
    if joint:
        confidence = confidence.mean(dim=0, keepdim=True).expand(count, -1)
    chosen = confidence.argmax(dim=1) if batch.targeted else confidence.argmin(dim=1)
    return solid[0, chosen].expand_as(batch.crops).contiguous()


def start_texture(kind: Start, model: nn.Module, batch: Batch) -> torch.Tensor:
    """(n, 3, S, S) whole grey levels: the best of five colours, grey, noise, or the crop itself."""
    if kind == "best_colour":
        return best_colour(model, batch)
    if kind == "grey":
        return torch.full_like(batch.crops, 128.0)
    if kind == "crop":
        return batch.crops.clone()
    noise = [torch.randint(0, 256, batch.crops.shape[1:], generator=g) for g in batch.generators]
    return torch.stack(noise).to(batch.crops)

"""Runs crops through the frozen blocks of a trunk once, and keeps what comes out: training then takes minutes.

A *version* of the crops is one pass: version 0 shows them as they are, every other one with its own random
pose, light, sharpness and occlusions (``models.training.augment``). Each version has its own seed and its own file,
so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from models.arrays import Bytes, Halves, read_arrays
from models.digest import digest_of
from models.files import whole_file
from models.network.vgg16 import VGG16, block_start
from models.training import augment
from models.training.half_precision import bfloat16

#: Changes a batch of (N, 3, S, S) float RGB on 0-255, for example by drawing innocent glasses on some faces.
Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

_LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class Augmentation:
    """How crops are changed in every version but version 0; ``hidden`` is the share with something in front."""

    shift: float = 0.04
    degrees: float = 6.0
    scale: float = 0.07
    hidden: float = 0.6
    seed: int = 0

    def moved(self, times: float) -> Augmentation:
        """With shifts, turns and sizes so many times as large."""
        return replace(self, shift=self.shift * times, degrees=self.degrees * times, scale=self.scale * times)


@dataclass(frozen=True)
class Features:
    """One version of N crops: what block 4 gives (input of the last block) and what the trunk gives."""

    block4: Halves  # (N, 512, S // 16, S // 16)
    trunk: Halves  # (N, 512, S // 32, S // 32)

    def __len__(self) -> int:
        return len(self.trunk)


def to_pixels(crops: Bytes, size: int) -> torch.Tensor:
    """(N, T, T, 3) uint8 -> (N, 3, size, size) float on 0-255, resampled where T is another side."""
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    if pixels.shape[-1] != size:
        pixels = F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return pixels


def changed_pixels(
    crops: Bytes,
    size: int,
    generator: torch.Generator,
    settings: Augmentation,
    fill: tuple[int, int, int],
    wear: Change | None = None,
) -> torch.Tensor:
    """One random version of crops (N, T, T, 3) as (N, 3, size, size) float on 0-255, whole grey levels, on the
    generator's device."""
    pixels = torch.from_numpy(crops).to(generator.device).permute(0, 3, 1, 2).float()
    if wear is not None:
        pixels = wear(pixels, generator)
    pixels = augment.pose(pixels, size, generator, shift=settings.shift, degrees=settings.degrees, scale=settings.scale)
    pixels = augment.light(pixels, generator)
    pixels = augment.sharpness(pixels, generator)
    pixels = augment.occlusions(pixels, generator, fill=fill, share=settings.hidden / 2)
    pixels = augment.blobs(pixels, generator, fill=fill, share=settings.hidden / 2)
    return pixels.round().clamp(0, 255)


@torch.inference_mode()
def trunk_features(
    model: VGG16,
    pixels: torch.Tensor,
    *,
    batch: int = 32,
    half_precision: bool = False,
    tick: Callable[[int], None] | None = None,
) -> Features:
    """(N, 3, S, S) float RGB on 0-255 -> float16 features; ``tick`` is told how many crops each batch had.

    Computed where the model is. ``half_precision`` computes in bfloat16 where that can: good enough to train on.
    """
    device = next(model.parameters()).device
    start = block_start(5)
    low, high = model.trunk[:start], model.trunk[start:]
    block4: list[Halves] = []
    trunk: list[Halves] = []
    for first in range(0, len(pixels) or 1, batch):  # of no crops too there are features, none of them
        part = pixels[first : first + batch].to(device).contiguous(memory_format=torch.channels_last)
        with bfloat16(half_precision, device.type):
            middle = low(model.normalise(part))
            block4.append(_half(middle))
            trunk.append(_half(high(middle)))
        if tick is not None:
            tick(len(part))
    return Features(np.concatenate(block4), np.concatenate(trunk))


def version(
    model: VGG16,
    crops: Bytes,
    number: int,
    settings: Augmentation,
    *,
    folder: Path | None = None,
    change: Change | None = None,
    wear: Change | None = None,
    name: str = "",
    half_precision: bool = False,
    tick: Callable[[int], None] | None = None,
) -> Features:
    """Version ``number`` of the crops through the trunk, read from ``folder`` where it was kept before.

    Args:
        crops: (N, T, T, 3) uint8 RGB in the canonical pose.
        number: 0 shows the crops as they are (``change`` excepted), any other draws its own random changes.
        change: done last, to every version: it hides what lies at fixed places of the crop.
        wear: puts something on the faces before the other random changes.
        name: sets callables apart in the file's name, since a function has no content to be hashed.
    """
    path = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        shown = f"{name} bfloat16" if half_precision else name
        path = folder / f"{_key(model, crops, settings, shown)}-{number:03d}.npz"
        kept = read_arrays(path, "block4", "trunk")
        if kept is not None:
            if tick is not None:
                tick(len(crops))
            return Features(kept["block4"], kept["trunk"])
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(settings.seed * 10_007 + number)
    parts: list[Features] = []
    for first in range(0, len(crops) or 1, 256):  # a large set as float pixels would not fit in memory
        part = crops[first : first + 256]
        if number == 0:
            pixels = to_pixels(part, model.input_size).round().clamp(0, 255).to(device)
        else:
            pixels = changed_pixels(part, model.input_size, generator, settings, model.spec.fill_rgb, wear)
        pixels = pixels if change is None else change(pixels, generator)
        parts.append(trunk_features(model, pixels, half_precision=half_precision, tick=tick))
    found = Features(np.concatenate([p.block4 for p in parts]), np.concatenate([p.trunk for p in parts]))
    if path is not None:
        with whole_file(path) as stream:
            np.savez(stream, block4=found.block4, trunk=found.trunk)
    return found


def _half(x: torch.Tensor) -> Halves:
    found: Halves = x.float().clamp(max=_LARGEST_HALF).contiguous().to(torch.float16).cpu().numpy()
    return found


def _key(model: VGG16, crops: Bytes, settings: Augmentation, name: str) -> str:
    """Names what the features depend on: the trunk's weights, the crops, the settings."""
    digest = hashlib.sha256(f"{model.input_size} {model.spec} {asdict(settings)} {name}".encode())
    weights = (values.cpu().numpy() for values in model.trunk.state_dict().values())
    digest.update(digest_of([*weights, crops]).encode())
    return digest.hexdigest()[:16]

"""Random changes to batches of face crops while training: pose, light, sharpness, and things in front of the face.

All functions take and give (N, 3, S, S) float RGB on 0-255 and draw from the generator they are given. Those
named ``hide_...`` hide a fixed kind of thing on every crop, for measuring.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from models.eyewear import COLOURS, SHAPES, frame_mask
from models.zones import Zone, zone_mask


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def pose(
    pixels: torch.Tensor,
    size: int,
    generator: torch.Generator,
    *,
    shift: float = 0.05,
    degrees: float = 8.0,
    scale: float = 0.08,
) -> torch.Tensor:
    """Flip, shift (a share of the side), rotate and scale each crop, resampled to ``size`` in one step."""
    count = len(pixels)
    angle = _uniform(count, -degrees, degrees, generator) * math.pi / 180
    zoom = 1 + _uniform(count, -scale, scale, generator)
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = torch.cos(angle) * zoom * flip
    theta[:, 0, 1] = -torch.sin(angle) * zoom
    theta[:, 1, 0] = torch.sin(angle) * zoom * flip
    theta[:, 1, 1] = torch.cos(angle) * zoom
    theta[:, 0, 2] = _uniform(count, -2 * shift, 2 * shift, generator)
    theta[:, 1, 2] = _uniform(count, -2 * shift, 2 * shift, generator)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def light(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Brightness, contrast, a colour cast, and every tenth crop in grey."""
    count = len(pixels)
    gain = torch.exp(_uniform(count, -0.35, 0.35, generator)).view(-1, 1, 1, 1)
    offset = _uniform(count, -25, 25, generator).view(-1, 1, 1, 1)
    cast = torch.exp(_uniform(3 * count, -0.08, 0.08, generator)).view(count, 3, 1, 1)
    pixels = pixels * gain * cast + offset
    grey = (torch.rand(count, generator=generator) < 0.1).view(-1, 1, 1, 1)
    return torch.where(grey, pixels.mean(dim=1, keepdim=True), pixels).clamp(0, 255)


def sharpness(pixels: torch.Tensor, generator: torch.Generator, *, share: float = 0.3) -> torch.Tensor:
    """Some crops lose detail, as small faces of a distant camera do: down to 35-80 % and up again."""
    size = pixels.shape[-1]
    chosen = torch.rand(len(pixels), generator=generator) < share
    if chosen.any():
        small = max(8, int(size * float(_uniform(1, 0.35, 0.8, generator))))
        reduced = F.interpolate(pixels[chosen], size=(small, small), mode="bilinear", antialias=True)
        pixels = pixels.clone()
        pixels[chosen] = F.interpolate(reduced, size=(size, size), mode="bilinear")
    return pixels


def occlusions(
    pixels: torch.Tensor,
    generator: torch.Generator,
    *,
    fill: tuple[int, int, int],
    share: float = 0.5,
    blobs: int = 3,
) -> torch.Tensor:
    """Hide parts of some crops as masks, glasses and hands do.

    Half of the hidden parts are filled with ``fill`` (what the saliency mask fills with), the rest with
    a random colour or noise. One in four is a horizontal band over the eyes, the rest are rectangles of
    up to 40 % of the side.
    """
    count, _, size, _ = pixels.shape
    pixels = pixels.clone()
    mean = torch.tensor(fill, dtype=pixels.dtype).view(3, 1, 1)
    for index in torch.nonzero(torch.rand(count, generator=generator) < share).flatten().tolist():
        for _ in range(int(torch.randint(1, blobs + 1, (1,), generator=generator))):
            kind, paint, u, v, w, h = torch.rand(6, generator=generator).tolist()
            if kind < 0.25:
                top, height = int(size * (0.18 + 0.12 * u)), int(size * (0.1 + 0.18 * h))
                left, width = int(size * 0.15 * v), int(size * (0.75 + 0.2 * w))
            else:
                height, width = int(size * (0.05 + 0.35 * h)), int(size * (0.05 + 0.35 * w))
                top, left = int(u * (size - height)), int(v * (size - width))
            patch = pixels[index, :, top : top + height, left : left + width]
            if paint < 0.5:
                patch[:] = mean
            elif paint < 0.8:
                patch[:] = torch.rand(3, 1, 1, generator=generator) * 255
            else:
                patch[:] = torch.rand(patch.shape, generator=generator) * 255
    return pixels


def blobs(
    pixels: torch.Tensor,
    generator: torch.Generator,
    *,
    fill: tuple[int, int, int],
    share: float = 0.3,
    least: float = 0.03,
    most: float = 0.25,
) -> torch.Tensor:
    """Hide ragged islands of some crops with ``fill``, as the saliency mask does.

    Smooth random noise, raised towards the middle of the face where saliency gathers; the highest ``least``
    to ``most`` of the pixels are hidden.
    """
    count, _, size, _ = pixels.shape
    chosen = torch.nonzero(torch.rand(count, generator=generator) < share).flatten()
    if len(chosen) == 0:
        return pixels
    cells = int(torch.randint(8, 21, (1,), generator=generator))
    noise = torch.randn(len(chosen), 1, cells, cells, generator=generator)
    noise = F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)
    line = torch.linspace(-1, 1, size)
    distance = line.view(-1, 1) ** 2 + line.view(1, -1) ** 2
    height = (noise + 1.5 * torch.exp(-distance / 0.35)).flatten(1)
    hidden = torch.rand(len(chosen), 1, generator=generator) * (most - least) + least
    order = height.sort(dim=1, descending=True).values
    edge = order.gather(1, (hidden * (size * size - 1)).long())
    mask = (height > edge).view(-1, 1, size, size)
    mean = torch.tensor(fill, dtype=pixels.dtype).view(1, 3, 1, 1)
    pixels = pixels.clone()
    pixels[chosen] = torch.where(mask, mean, pixels[chosen])
    return pixels


def innocent_glasses(pixels: torch.Tensor, generator: torch.Generator, *, share: float = 0.2) -> torch.Tensor:
    """Draw glasses of a random shape, one colour and a random opacity on some crops in the canonical pose.

    What the demo's innocent glasses are: a recogniser that never saw any is thrown off by their frame alone.
    """
    count, _, size, _ = pixels.shape
    chosen = torch.nonzero(torch.rand(count, generator=generator) < share).flatten().tolist()
    pixels = pixels.clone() if chosen else pixels
    palette = list(COLOURS.values())
    for index in chosen:
        shape, colour = torch.randint(1 << 30, (2,), generator=generator).tolist()
        opacity = 0.7 + 0.3 * float(torch.rand(1, generator=generator))
        noise = torch.randn(3, 1, 1, generator=generator) * 15
        paint = (torch.tensor(palette[colour % len(palette)]).view(3, 1, 1) + noise).clamp(0, 255)
        alpha = torch.from_numpy(frame_mask(SHAPES[shape % len(SHAPES)], size).copy()) * opacity
        pixels[index] = pixels[index] * (1 - alpha) + paint * alpha
    return pixels


def hide_rectangle(pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int]) -> torch.Tensor:
    """One rectangle of 20 to 50 % of the side on every crop, anywhere."""
    count, _, size, _ = pixels.shape
    pixels = pixels.clone()
    mean = torch.tensor(fill, dtype=pixels.dtype).view(3, 1, 1)
    for index, (u, v, w, h) in enumerate(torch.rand(count, 4, generator=generator).tolist()):
        height, width = int(size * (0.2 + 0.3 * h)), int(size * (0.2 + 0.3 * w))
        top, left = int(u * (size - height)), int(v * (size - width))
        pixels[index, :, top : top + height, left : left + width] = mean
    return pixels


def hide_eye_band(pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int]) -> torch.Tensor:
    """The band where glasses lie (rows 52-115, columns 20-203 of 224) on every crop; draws nothing."""
    size = pixels.shape[-1]
    top, bottom, left, right = (round(edge * size / 224) for edge in (52, 116, 20, 204))
    pixels = pixels.clone()
    pixels[:, :, top:bottom, left:right] = torch.tensor(fill, dtype=pixels.dtype).view(3, 1, 1)
    return pixels


def hide_zone(
    pixels: torch.Tensor, generator: torch.Generator, *, zone: Zone, fill: tuple[int, int, int]
) -> torch.Tensor:
    """A zone of the canonical crop (``models.zones``) on every crop; draws nothing."""
    mask = torch.from_numpy(zone_mask(zone, pixels.shape[-1]).copy())
    return torch.where(mask, torch.tensor(fill, dtype=pixels.dtype).view(1, 3, 1, 1), pixels)


def hide_blobs(pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int]) -> torch.Tensor:
    """Islands over 10 to 20 % of every crop."""
    return blobs(pixels, generator, fill=fill, share=1.1, least=0.1, most=0.2)


#: What validation hides, by name.
HIDDEN: dict[str, Callable[..., torch.Tensor]] = {
    "rectangle": hide_rectangle,
    "eye_band": hide_eye_band,
    "blobs": hide_blobs,
}

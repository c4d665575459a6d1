"""Random changes to batches of face crops while training: pose, light, sharpness, and things in front of the face.

All functions take and give (N, 3, S, S) float RGB on 0-255 and draw from the generator they are given, which has to
be on the pixels' device. Those named ``hide_...`` hide a fixed kind of thing on every crop, for measuring.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from models.crop.wearables import COLOURS, SHAPES, frame_mask
from models.crop.zones import Zone, zone_mask


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return _drawn(generator, count) * (high - low) + low


def _drawn(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=generator, device=generator.device)


def _colour(fill: tuple[int, int, int], like: torch.Tensor) -> torch.Tensor:
    return like.new_tensor(fill).view(1, 3, 1, 1)


def _rectangles(
    top: torch.Tensor, left: torch.Tensor, height: torch.Tensor, width: torch.Tensor, size: int
) -> torch.Tensor:
    """(N,) whole numbers each -> (N, 1, size, size) bool, True inside."""
    line = torch.arange(size, device=top.device)
    rows = (line >= top.view(-1, 1)) & (line < (top + height).view(-1, 1))
    columns = (line >= left.view(-1, 1)) & (line < (left + width).view(-1, 1))
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def pose(
    pixels: torch.Tensor,
    size: int,
    generator: torch.Generator,
    *,
    shift: float = 0.05,
    degrees: float = 8.0,
    scale: float = 0.08,
    times: float = 1.0,
) -> torch.Tensor:
    """Flip, shift (a share of the side), rotate and scale each crop, resampled to ``size`` in one step.

    ``times`` multiplies all three.
    """
    count = len(pixels)
    shift, degrees, scale = shift * times, degrees * times, scale * times
    angle = _uniform(count, -degrees, degrees, generator) * math.pi / 180
    zoom = 1 + _uniform(count, -scale, scale, generator)
    flip = torch.where(_drawn(generator, count) < 0.5, -1.0, 1.0)
    theta = pixels.new_zeros(count, 2, 3)
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
    grey = (_drawn(generator, count) < 0.1).view(-1, 1, 1, 1)
    return torch.where(grey, pixels.mean(dim=1, keepdim=True), pixels).clamp(0, 255)


def sharpness(pixels: torch.Tensor, generator: torch.Generator, *, share: float = 0.3) -> torch.Tensor:
    """Some crops lose detail, as small faces of a distant camera do: down to 35-80 % and up again."""
    size = pixels.shape[-1]
    chosen = _drawn(generator, len(pixels)) < share
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
    chosen = _drawn(generator, count) < share
    parts = torch.randint(1, blobs + 1, (count,), generator=generator, device=generator.device)
    for part in range(blobs):
        rows = torch.nonzero(chosen & (part < parts)).flatten()
        if len(rows) == 0:
            break
        kind, paint, u, v, w, h = _drawn(generator, 6, len(rows))
        band = kind < 0.25
        height = (size * torch.where(band, 0.1 + 0.18 * h, 0.05 + 0.35 * h)).long()
        width = (size * torch.where(band, 0.75 + 0.2 * w, 0.05 + 0.35 * w)).long()
        top = torch.where(band, size * (0.18 + 0.12 * u), u * (size - height)).long()
        left = torch.where(band, size * 0.15 * v, v * (size - width)).long()
        paint = paint.view(-1, 1, 1, 1)
        noise = _drawn(generator, len(rows), 3, size, size) * 255
        plain = torch.where(paint < 0.5, _colour(fill, pixels), _drawn(generator, len(rows), 3, 1, 1) * 255)
        inside = _rectangles(top, left, height, width, size)
        pixels[rows] = torch.where(inside, torch.where(paint < 0.8, plain, noise), pixels[rows])
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
    chosen = torch.nonzero(_drawn(generator, count) < share).flatten()
    if len(chosen) == 0:
        return pixels
    cells = int(torch.randint(8, 21, (1,), generator=generator, device=generator.device))
    noise = torch.randn(len(chosen), 1, cells, cells, generator=generator, device=generator.device)
    noise = F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)
    line = torch.linspace(-1, 1, size, device=pixels.device)
    distance = line.view(-1, 1) ** 2 + line.view(1, -1) ** 2
    height = (noise + 1.5 * torch.exp(-distance / 0.35)).flatten(1)
    hidden = _drawn(generator, len(chosen), 1) * (most - least) + least
    order = height.sort(dim=1, descending=True).values
    edge = order.gather(1, (hidden * (size * size - 1)).long())
    mask = (height > edge).view(-1, 1, size, size)
    pixels = pixels.clone()
    pixels[chosen] = torch.where(mask, _colour(fill, pixels), pixels[chosen])
    return pixels


def innocent_glasses(pixels: torch.Tensor, generator: torch.Generator, *, share: float = 0.2) -> torch.Tensor:
    """Draw glasses of a random shape, one colour and a random opacity on some crops in the canonical pose.

    What the demo's innocent glasses are: a recogniser that never saw any is thrown off by their frame alone.
    """
    count, _, size, _ = pixels.shape
    chosen = torch.nonzero(_drawn(generator, count) < share).flatten()
    if len(chosen) == 0:
        return pixels
    some, device = (len(chosen),), generator.device
    shapes = torch.stack([torch.from_numpy(frame_mask(shape, size).copy()) for shape in SHAPES]).to(pixels)
    palette = pixels.new_tensor(list(COLOURS.values()))
    shape = torch.randint(len(shapes), some, generator=generator, device=device)
    colour = torch.randint(len(palette), some, generator=generator, device=device)
    opacity = 0.7 + 0.3 * _drawn(generator, len(chosen), 1, 1, 1)
    noise = torch.randn(len(chosen), 3, generator=generator, device=device) * 15
    paint = (palette[colour] + noise).clamp(0, 255).view(-1, 3, 1, 1)
    alpha = shapes[shape].unsqueeze(1) * opacity
    pixels = pixels.clone()
    pixels[chosen] = pixels[chosen] * (1 - alpha) + paint * alpha
    return pixels


def hide_rectangle(pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int]) -> torch.Tensor:
    """One rectangle of 20 to 50 % of the side on every crop, anywhere."""
    count, _, size, _ = pixels.shape
    u, v, w, h = _drawn(generator, count, 4).T
    height, width = (size * (0.2 + 0.3 * h)).long(), (size * (0.2 + 0.3 * w)).long()
    top, left = (u * (size - height)).long(), (v * (size - width)).long()
    return torch.where(_rectangles(top, left, height, width, size), _colour(fill, pixels), pixels)


def hide_area(
    pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int], least: float, most: float
) -> torch.Tensor:
    """A rectangle on every crop, anywhere: ``least`` to ``most`` of its area, up to three times as long as wide."""
    count, _, size, _ = pixels.shape
    u, v, a, r = _drawn(generator, count, 4).T
    area, ratio = size * size * (least + (most - least) * a), torch.exp((2 * r - 1) * math.log(3.0))
    height, width = (area * ratio).sqrt().clamp(max=size).long(), (area / ratio).sqrt().clamp(max=size).long()
    top, left = (u * (size + 1 - height)).long(), (v * (size + 1 - width)).long()
    return torch.where(_rectangles(top, left, height, width, size), _colour(fill, pixels), pixels)


def hide_eye_band(pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int]) -> torch.Tensor:
    """The band where glasses lie (rows 52-115, columns 20-203 of 224) on every crop; draws nothing."""
    size = pixels.shape[-1]
    top, bottom, left, right = (round(edge * size / 224) for edge in (52, 116, 20, 204))
    pixels = pixels.clone()
    pixels[:, :, top:bottom, left:right] = _colour(fill, pixels)
    return pixels


def hide_zone(
    pixels: torch.Tensor, generator: torch.Generator, *, zone: Zone, fill: tuple[int, int, int]
) -> torch.Tensor:
    """A zone of the canonical crop (``models.crop.zones``) on every crop; draws nothing."""
    mask = torch.from_numpy(zone_mask(zone, pixels.shape[-1]).copy()).to(pixels.device)
    return torch.where(mask, _colour(fill, pixels), pixels)


def hide_blobs(pixels: torch.Tensor, generator: torch.Generator, *, fill: tuple[int, int, int]) -> torch.Tensor:
    """Islands over 10 to 20 % of every crop."""
    return blobs(pixels, generator, fill=fill, share=1.1, least=0.1, most=0.2)


#: What validation hides, by name.
HIDDEN: dict[str, Callable[..., torch.Tensor]] = {
    "rectangle": hide_rectangle,
    "eye_band": hide_eye_band,
    "blobs": hide_blobs,
}

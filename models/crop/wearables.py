"""Draws visible accessories in the canonical pose: glasses of several shapes, and other wearables.

One function gives the opacity of any of them, ``frame_mask(shape, size)``, so that the attacks treat a pair
of glasses, a face mask and a patch alike. The glasses are our own parametric drawing; ``classic`` has about
the place and the area of the frame of Sharif et al. 2016 (rows 56-111, columns 29-193 of 224, 6-7 % of the
crop), ``wide`` the 10 % of later forks. The other wearables follow Karmon et al. 2018 (LaVAN: a patch of
2 %), Wu et al. 2020 (DOA: a rectangle) and Tong et al. 2021 (FACESEC: stickers, face mask).

Coordinates here are those of a crop of side 224 whose pixel i covers [i, i + 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from models.arrays import Bytes
from models.crop.outlines import Alpha, rectangle, rendered, superellipse
from models.crop.pose import TEMPLATE_SIDE

Colour = tuple[int, int, int]

_CENTRE = TEMPLATE_SIDE / 2

COLOURS: Final[dict[str, Colour]] = {
    "black": (20, 20, 22),
    "grey": (128, 128, 128),
    "white": (238, 238, 235),
    "silver": (176, 180, 186),
    "tortoise": (96, 58, 30),
    "brown": (160, 105, 55),
    "gold": (200, 175, 30),
    "yellow": (220, 210, 50),
    "orange": (220, 130, 0),
    "red": (190, 30, 38),
    "wine": (104, 24, 48),
    "pink": (232, 140, 170),
    "violet": (112, 64, 150),
    "navy": (28, 40, 92),
    "blue": (40, 96, 190),
    "turquoise": (40, 160, 165),
    "green": (46, 125, 60),
    "olive": (104, 110, 42),
    "transparent pink": (222, 190, 180),
    "beige": (205, 180, 145),
}


@dataclass(frozen=True)
class _Glasses:
    """One half of a pair of glasses (the image's left); the other half is its mirror image.

    ``squareness`` is the exponent of the lens' superellipse (2 = ellipse), ``taper`` narrows the lens towards
    its lower edge and draws its foot to the nose, ``brow`` thickens the rim's upper part.
    """

    lens_centre: tuple[float, float]
    lens_half: tuple[float, float]  # half width and height of the rim's outer edge
    rim: float
    bridge: tuple[float, float]  # upper and lower row
    temple: tuple[float, float, float]  # outer column, upper and lower row
    squareness: float = 3.0
    taper: float = 0.0
    brow: float = 0.0
    filled: bool = False

    def lowered(self, rows: float) -> _Glasses:
        """The same glasses, slipped down."""
        (x, y), (upper, lower), (column, top, bottom) = self.lens_centre, self.bridge, self.temple
        return replace(
            self,
            lens_centre=(x, y + rows),
            bridge=(upper + rows, lower + rows),
            temple=(column, top + rows, bottom + rows),
        )


_GLASSES: Final[dict[str, _Glasses]] = {
    "thin": _Glasses(
        lens_centre=(72.5, 83.5), lens_half=(33.5, 26.0), rim=3.2, bridge=(75.0, 79.0), temple=(29.5, 74.0, 78.0)
    ),
    "classic": _Glasses(
        lens_centre=(71.5, 83.8),
        lens_half=(36.0, 27.6),
        rim=7.5,
        bridge=(72.5, 81.5),
        temple=(29.5, 69.0, 79.0),
        squareness=3.6,
    ),
    "wide": _Glasses(
        lens_centre=(71.0, 84.0),
        lens_half=(38.0, 29.0),
        rim=11.6,
        bridge=(70.0, 82.0),
        temple=(27.0, 66.0, 80.0),
        squareness=3.8,
    ),
    "sunglasses": _Glasses(
        lens_centre=(70.5, 86.5),
        lens_half=(38.5, 32.0),
        rim=7.5,
        bridge=(70.0, 78.0),
        temple=(27.0, 63.0, 76.0),
        squareness=2.7,
        taper=0.18,
        brow=3.5,
    ),
}
_GLASSES["sunglasses_filled"] = replace(_GLASSES["sunglasses"], filled=True)

#: Twice as wide as "wide": no pair that anybody sells. The eyewear zone holds it as drawn, and not slipped down.
_DOUBLE = _Glasses(
    lens_centre=(68.0, 86.0), lens_half=(50.0, 48.0), rim=23.2, bridge=(66.0, 90.0), temple=(14.0, 62.0, 84.0)
)

SHAPES: Final[tuple[str, ...]] = tuple(_GLASSES)
"""Glasses; ``sunglasses_filled`` is opaque over the lenses too."""


def frame_mask(shape: str, size: int) -> Alpha:
    """The opacity of a wearable in the canonical pose.

    Args:
        shape: one of ``WEARABLES``, or several at once, joined by ``+``.
        size: side S of the crop in pixels.

    Returns:
        (S, S) float32 in [0, 1], anti-aliased; read-only, since it is drawn once per shape and size.

    Raises:
        ValueError: an unknown shape, or a size below 16.
    """
    for each in things(shape):
        if each not in _DRAWERS:
            raise ValueError(f"unknown wearable {each!r}; known are {', '.join(_DRAWERS)}")
    if size < 16:
        raise ValueError(f"a crop's side must be at least 16 pixels to draw on, got {size}")
    return _drawn(shape, size)


def things(shape: str) -> list[str]:
    """What is worn, one by one: ``wide+face_mask`` is two things at once."""
    return shape.split("+")


def area(shape: str, size: int) -> float:
    """The share of the crop that the wearable covers: the mean of its opacity."""
    return float(frame_mask(shape, size).mean())


def box_mask(size: int, *, centre: tuple[float, float], width: float, height: float) -> Alpha:
    """The opacity of an upright rectangle anywhere in the crop (a patch whose place the attack chooses).

    Args:
        size: side S of the crop in pixels.
        centre: (x, y) of its middle; this and both lengths are in pixels of a 224 crop.
        width: its width.
        height: its height.

    Returns:
        (S, S) float32 in [0, 1].
    """

    def covered(middle: float, length: float) -> Alpha:
        """The share of each pixel (of one row or column) that lies within the interval: exact anti-aliasing."""
        scale = size / TEMPLATE_SIDE
        first, last = (middle - length / 2) * scale, (middle + length / 2) * scale
        pixels = np.arange(size)
        share = np.clip(np.minimum(last, pixels + 1) - np.maximum(first, pixels), 0, 1)
        return np.asarray(share, dtype=np.float32)

    return covered(centre[1], height)[:, np.newaxis] * covered(centre[0], width)[np.newaxis, :]


def paint(crops: Bytes, alpha: Alpha, texture: Bytes) -> Bytes:
    """Lay a texture over crops: ``crop (1 - alpha) + texture alpha``, rounded.

    Args:
        crops: (N, S, S, 3) or (S, S, 3) uint8.
        alpha: (S, S) in [0, 1].
        texture: (S, S, 3) or (N, S, S, 3) uint8, or a single colour (3,).

    Returns:
        A new array of the crops' shape.

    Raises:
        ValueError: the sides differ.
    """
    if crops.shape[-3:-1] != alpha.shape:
        raise ValueError(f"crops of {crops.shape[-3:-1]} and an opacity of {alpha.shape} do not fit")
    weight = alpha[..., np.newaxis].astype(np.float32)
    mixed = crops.astype(np.float32) * (1 - weight) + np.asarray(texture, dtype=np.float32) * weight
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def rgba(alpha: Alpha, texture: Bytes) -> Bytes:
    """The accessory as one picture: (S, S, 4) uint8, from an opacity (S, S) and a texture (S, S, 3) or colour (3,)."""
    picture = np.empty((*alpha.shape, 4), dtype=np.uint8)
    picture[..., :3] = texture
    picture[..., 3] = np.rint(alpha * 255).astype(np.uint8)
    return picture


def innocent(colour: str | Colour, shape: str, size: int) -> Bytes:
    """Plain glasses of one colour, as anybody may wear them: (S, S, 4) uint8 RGBA.

    Args:
        colour: a name in ``COLOURS``, or (R, G, B).
        shape: one of ``WEARABLES``.
        size: side S of the crop in pixels.

    Raises:
        ValueError: an unknown colour or shape.
    """
    if isinstance(colour, str):
        if colour not in COLOURS:
            raise ValueError(f"unknown colour {colour!r}; known are {', '.join(COLOURS)}")
        colour = COLOURS[colour]
    return rgba(frame_mask(shape, size), np.array(colour, dtype=np.uint8))


def random_innocent(random: np.random.Generator, size: int) -> Bytes:
    """Plain glasses of a colour and a shape that are drawn, in this order: (S, S, 4) uint8 RGBA."""
    colours = list(COLOURS.values())
    colour = colours[int(random.integers(len(colours)))]
    return innocent(colour, SHAPES[int(random.integers(len(SHAPES)))], size)


@cache
def _drawn(shape: str, size: int) -> Alpha:
    alpha: Alpha = np.maximum.reduce([_DRAWERS[each](size) for each in things(shape)])
    alpha.setflags(write=False)
    return alpha


def _glasses(spec: _Glasses) -> Callable[[int], Alpha]:
    def draw(size: int) -> Alpha:
        (x, y), (half_width, half_height) = spec.lens_centre, spec.lens_half
        outer = superellipse(spec.lens_centre, spec.lens_half, spec.squareness, spec.taper)
        hole = superellipse(
            (x, y + spec.brow / 2),
            (half_width - spec.rim, half_height - spec.rim - spec.brow / 2),
            spec.squareness,
            spec.taper,
        )
        temple_column, temple_top, temple_bottom = spec.temple
        # The temple reaches under the rim, the bridge to the middle, where it meets its mirror image.
        temple = rectangle(temple_column, temple_top, x - half_width * 0.8, temple_bottom)
        bridge = rectangle(x + half_width * 0.8, spec.bridge[0], _CENTRE, spec.bridge[1])
        half = rendered(size, outer, temple, bridge, holes=() if spec.filled else (hole,))
        return np.maximum(half, half[:, ::-1])

    return draw


def _lower_face(size: int) -> Alpha:
    """A cloth mask: over the nose's tip, along the cheeks, under the chin."""
    left = [(_CENTRE, 104), (92, 110), (66, 124), (40, 128), (42, 158), (56, 190), (80, 208), (_CENTRE, 214)]
    half = rendered(size, np.array(left, dtype=np.float64))
    return np.maximum(half, half[:, ::-1])


_DRAWERS: Final[dict[str, Callable[[int], Alpha]]] = {
    **{name: _glasses(spec) for name, spec in _GLASSES.items()},
    "double": _glasses(_DOUBLE),
    "double_slipped": _glasses(_DOUBLE.lowered(6.0)),
    "face_mask": _lower_face,
    "forehead_sticker": lambda size: box_mask(size, centre=(112, 34), width=116, height=36),
    "cheek_sticker": lambda size: rendered(size, superellipse((58, 132), (22, 22))),
    "patch": lambda size: box_mask(size, centre=(168, 132), width=31.7, height=31.7),
    "forehead_patch": lambda size: box_mask(size, centre=(112, 34), width=31.7, height=31.7),
    "rectangle": lambda size: box_mask(size, centre=(112, 132), width=100, height=50),
}

WEARABLES: Final[tuple[str, ...]] = tuple(_DRAWERS)
"""``SHAPES``, then the others: double width, the same 6 pixels lower, face mask, stickers, LaVAN's patch of 2 % on a
cheek and on the forehead, DOA's rectangle of 100 x 50."""

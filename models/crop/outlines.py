"""Outlines in the pixels of a crop of side 224, and how they become an opacity."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from models.crop.pose import TEMPLATE_SIDE

Alpha = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_FINER = 4  # drawn this much finer, then averaged: the anti-aliasing
_SHIFT = 6  # fractional bits of cv2's drawing coordinates


def rendered(size: int, *solid: Points, holes: tuple[Points, ...] = ()) -> Alpha:
    """Fill polygons (K, 2), cut holes out of them, and average down to ``size``."""
    side = size * _FINER
    canvas = np.zeros((side, side), dtype=np.uint8)
    for polygons, value in ((solid, 255), (holes, 0)):
        for polygon in polygons:
            fine = polygon * (side / TEMPLATE_SIDE) - 0.5  # cv2 puts pixel i's centre at i
            fixed = np.rint(fine * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(canvas, [fixed], value, lineType=cv2.LINE_8, shift=_SHIFT)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Points:
    """An upright one: (4, 2)."""
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], dtype=np.float64)


def superellipse(
    centre: tuple[float, float], half: tuple[float, float], squareness: float = 2.0, taper: float = 0.0
) -> Points:
    """An ellipse with corners (the exponent ``squareness``; 2: none), narrower towards its lower end: (240, 2)."""
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    cosine, sine = np.cos(angles), np.sin(angles)
    across = np.sign(cosine) * np.abs(cosine) ** (2 / squareness)
    down = np.sign(sine) * np.abs(sine) ** (2 / squareness)
    # Pilot's lenses: their lower part is narrower, and what they lose they lose on the outer side.
    narrowing = taper * np.clip(down, 0, 1)
    across = across * (1 - narrowing) + narrowing
    return np.stack([centre[0] + half[0] * across, centre[1] + half[1] * down], axis=1)

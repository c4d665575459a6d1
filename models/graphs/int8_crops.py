"""Crops to measure ranges on where a bundle brings none: one free portrait, changed in many ways.

Measured against ranges from 40 photographs of PubFig: those of the trunk's first four blocks come out within
a fifth, those of its last block and of the head at 0.6 to 0.8, because these answer to single people.
"""

from __future__ import annotations

import cv2
import numpy as np
from skimage import data

from models.arrays import Bytes

#: Factor on the ranges of the last block's activations and of the head, for the people not seen.
HEADROOM = 1.4
_FACE = (112, 224, 130)  # row and column of its middle and its side, in pixels of the portrait


def portrait_crops(side: int, count: int = 32, seed: int = 0) -> Bytes:
    """(count, side, side, 3) RGB: shifted, scaled, mirrored, lit differently, noisy, some with a bar of one colour."""
    rng = np.random.default_rng(seed)
    portrait = data.astronaut()
    row, column, size = _FACE
    crops = np.empty((count, side, side, 3), np.uint8)
    for index in range(count):
        half = size * rng.uniform(0.7, 1.3) / 2
        y, x = row + rng.uniform(-10, 10), column + rng.uniform(-12, 12)
        cut = portrait[max(int(y - half), 0) : int(y + half), int(x - half) : int(x + half)]
        crop = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        crop = (crop - 128) * rng.uniform(0.5, 1.6) + 128 + rng.uniform(-60, 60)
        if index % 2:
            crop = crop[:, ::-1]
        if index % 3 == 0:
            crop = crop + rng.normal(0, 10, crop.shape)
        crops[index] = np.clip(crop, 0, 255).astype(np.uint8)
        if index % 4 == 0:
            crops[index, side // 4 : side // 2, side // 8 : side - side // 8] = rng.integers(0, 256, 3)
    return crops

"""Puts an accessory, drawn in the canonical pose, onto a face in a full frame.

The demo, the drill and the attack tools share it: what ``realtime.faces.align.crop_face`` cuts out of the
result is the crop with the accessory painted on it, up to resampling.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from realtime.faces.align import inverse, similarity, warp


def wear(bgr: Bytes, landmarks: npt.NDArray[Any], rgba: Bytes) -> Bytes:
    """A copy of the frame with the accessory on the face.

    Args:
        bgr: (H, W, 3) uint8 frame in OpenCV's channel order; left as it is.
        landmarks: (5, 2), (x, y) in the frame.
        rgba: (S, S, 4) uint8, R, G, B and opacity (255 = opaque) in the canonical pose; S is free.

    Returns:
        (H, W, 3) uint8 BGR. Parts of the accessory outside the frame are dropped.

    Raises:
        ValueError: the accessory is not square RGBA, or the landmarks are unusable (see ``similarity``).
    """
    if rgba.ndim != 3 or rgba.shape[0] != rgba.shape[1] or rgba.shape[2] != 4:
        raise ValueError(f"an accessory is (S, S, 4) RGBA, got {rgba.shape}")
    size = rgba.shape[0]
    to_frame = inverse(similarity(landmarks, size))
    worn = bgr.copy()
    x1, y1, x2, y2 = _reach(to_frame, rgba, width=bgr.shape[1], height=bgr.shape[0])
    if x1 >= x2 or y1 >= y2:
        return worn

    # Colours are resampled multiplied by their opacity: otherwise the colour stored under fully transparent
    # pixels would bleed into the rim.
    opacity = rgba[..., 3:].astype(np.float32) / 255
    premultiplied = np.dstack([rgba[..., 2::-1].astype(np.float32) * opacity, opacity])
    to_frame[:, 2] -= (x1, y1)
    layer = warp(premultiplied, to_frame, x2 - x1, y2 - y1)
    under = worn[y1:y2, x1:x2].astype(np.float32)
    worn[y1:y2, x1:x2] = np.clip(np.rint(layer[..., :3] + under * (1 - layer[..., 3:])), 0, 255).astype(np.uint8)
    return worn


def _reach(to_frame: npt.NDArray[np.float64], rgba: Bytes, width: int, height: int) -> tuple[int, int, int, int]:
    """The part of the frame that the visible pixels of the accessory can touch: x1, y1, x2, y2."""
    rows, columns = np.nonzero(rgba[..., 3])
    if len(rows) == 0:
        return 0, 0, 0, 0
    x1, x2 = columns.min() - 1, columns.max() + 1
    y1, y2 = rows.min() - 1, rows.max() + 1
    corners = np.array([[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]], dtype=np.float64)
    moved = cv2.transform(corners, to_frame)[0]
    left, top = np.floor(moved.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(moved.max(axis=0)).astype(int) + 2
    return max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))

"""Where a picture has changed since faces were last looked for in it.

An empty entrance at night would otherwise cost as much detection as a crowd, and one visitor in a wide hall as much
as a hall full of them. The comparison is with the picture that was *searched* last, not with the one before, so that
a slow change adds up until it counts; and however still a scene is, all of it is searched again after a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from models.arrays import Bytes, Floats

_CELL: Final = 8  # pixels of the frame per side of a compared cell: averages a sensor's noise away
_CHANGE: Final = 6.0  # grey levels by which a cell's mean must differ
_MARGIN: Final = 0.1  # of the longer side, around what has changed: a face that changes in part is searched whole
_MOST: Final = 0.5  # of the picture: where more has changed, all of it is searched
LONGEST = 1.0  # seconds without a search of the whole picture

#: x1, y1, x2, y2 in pixels of the frame; x2 and y2 exclusive.
Region = tuple[int, int, int, int]


class MotionGate:
    """Remembers the picture searched last. Used by one thread."""

    def __init__(self) -> None:
        self._searched: Bytes | None = None
        self._whole_at = float("-inf")
        self._looked_at: Bytes | None = None

    def changed(self, bgr: Bytes, captured_at: float) -> Region | None:
        """What of (H, W, 3) uint8 must be searched: a part, all of it, or nothing (None).

        All of it where a second has passed since, or where more than half has changed.
        """
        self._looked_at = _cells(bgr)
        whole = _whole(bgr)
        if (
            self._searched is None
            or captured_at - self._whole_at >= LONGEST
            or self._searched.shape != self._looked_at.shape
        ):
            return whole
        rows, columns = np.nonzero(cv2.absdiff(self._searched, self._looked_at) >= _CHANGE)
        if len(rows) == 0:
            return None
        height, width = bgr.shape[:2]
        tall, wide = height / self._looked_at.shape[0], width / self._looked_at.shape[1]
        box = (columns.min() * wide, rows.min() * tall, (columns.max() + 1) * wide, (rows.max() + 1) * tall)
        region = grown(box, _MARGIN * max(height, width), bgr.shape)
        return region if _area(region) <= _MOST * _area(whole) else whole

    def searched(self, region: Region, captured_at: float, shape: tuple[int, ...]) -> None:
        """``region`` of the picture that was asked about last, of this shape, is searched now."""
        if region == (0, 0, shape[1], shape[0]) or self._searched is None:
            self._searched, self._whole_at = self._looked_at, captured_at
            return
        assert self._looked_at is not None
        x1, y1, x2, y2 = region
        rows, columns = self._looked_at.shape[0] / shape[0], self._looked_at.shape[1] / shape[1]
        # Cells that lie in the region as a whole; the others are compared with what they were.
        part = np.s_[int(np.ceil(y1 * rows)) : int(y2 * rows), int(np.ceil(x1 * columns)) : int(x2 * columns)]
        self._searched = self._searched.copy()
        self._searched[part] = self._looked_at[part]


def grown(box: Sequence[float] | Floats, margin: float, shape: tuple[int, ...]) -> Region:
    """The box with ``margin`` pixels around it, cut at the picture's edges."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    return left, top, min(shape[1], int(np.ceil(x2 + margin))), min(shape[0], int(np.ceil(y2 + margin)))


def touches(one: Sequence[float] | Floats, other: Sequence[float] | Floats) -> bool:
    """Whether two boxes x1, y1, x2, y2 have a pixel in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _whole(bgr: Bytes) -> Region:
    return 0, 0, bgr.shape[1], bgr.shape[0]


def _area(region: Region) -> int:
    return (region[2] - region[0]) * (region[3] - region[1])


def _cells(bgr: Bytes) -> Bytes:
    height, width = bgr.shape[:2]
    size = (max(1, width // _CELL), max(1, height // _CELL))
    small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

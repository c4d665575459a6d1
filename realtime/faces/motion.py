"""Whether a picture has changed since faces were last looked for in it.

An empty entrance at night would otherwise cost as much detection as a crowd. The comparison is with the picture
that was *searched* last, not with the one before, so that a slow change adds up until it counts; and however still
a scene is, it is searched again after a second.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from realtime.types import Bytes

_CELL: Final = 8  # pixels of the frame per side of a compared cell: averages a sensor's noise away
_CHANGE: Final = 6.0  # grey levels by which a cell's mean must differ
LONGEST = 1.0  # seconds without a search


class MotionGate:
    """Remembers the picture searched last. Used by one thread."""

    def __init__(self) -> None:
        self._searched: Bytes | None = None
        self._at = float("-inf")
        self._looked_at: Bytes | None = None

    def is_still(self, bgr: Bytes, captured_at: float) -> bool:
        """Whether (H, W, 3) uint8 looks as it did when it was searched last, less than a second before."""
        self._looked_at = _cells(bgr)
        if self._searched is None or captured_at - self._at >= LONGEST or self._searched.shape != self._looked_at.shape:
            return False
        return float(cv2.absdiff(self._searched, self._looked_at).max()) < _CHANGE

    def searched(self, captured_at: float) -> None:
        """The picture that was asked about last is searched now."""
        self._searched, self._at = self._looked_at, captured_at


def _cells(bgr: Bytes) -> Bytes:
    height, width = bgr.shape[:2]
    size = (max(1, width // _CELL), max(1, height // _CELL))
    small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

"""How much of two boxes is the same place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats

Boxed = Floats | Sequence[float]


def overlap(one: Boxed, other: Boxed) -> float:
    """Intersection over union of two boxes (4,) x1, y1, x2, y2; 0 where both are empty."""
    import supervision as sv  # with it comes half a second of SciPy and Matplotlib

    return float(sv.box_iou_batch(np.array([one], np.float64), np.array([other], np.float64))[0, 0])

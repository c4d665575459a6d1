"""How much two boxes have in common. Apart from the tracker, whose packages take seconds to import."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats

Boxed = Floats | Sequence[float]


def overlap(one: Boxed, other: Boxed) -> float:
    """Intersection over union of two boxes (4,) x1, y1, x2, y2; 0 where both are empty."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    common = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    both = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common
    return float(common / both) if both > 0 else 0.0

"""How far two boxes are one."""

from __future__ import annotations

from collections.abc import Sequence

from models.arrays import Floats

Boxed = Floats | Sequence[float]


def overlap(one: Boxed, other: Boxed) -> float:
    """Intersection over union of two boxes (4,) x1, y1, x2, y2; 0 where both are empty."""
    left, top, right, bottom = (float(value) for value in one)
    other_left, other_top, other_right, other_bottom = (float(value) for value in other)
    width, height = min(right, other_right) - max(left, other_left), min(bottom, other_bottom) - max(top, other_top)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top)
    return shared / (areas - shared) if areas > shared else 0.0

"""How far two boxes are one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats

Boxed = Floats | Sequence[float]


def overlap(one: Boxed, other: Boxed, *, of_smaller: bool = False) -> float:
    """Intersection over union of two boxes (4,) x1, y1, x2, y2; 0 where both are empty.

    ``of_smaller``: over the smaller of them instead: 1 where one lies in the other.
    """
    from supervision import OverlapMetric, box_iou  # takes most of a second to import

    metric = OverlapMetric.IOS if of_smaller else OverlapMetric.IOU
    return float(box_iou(np.asarray(one, np.float64), np.asarray(other, np.float64), overlap_metric=metric))

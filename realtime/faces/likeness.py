"""Whether a face still looks like the one that was decided on: a look at pixels that costs next to nothing.

Between two decisions on a face a second may pass where there are many. A name must not stay that long over somebody
else's face, so every crop is compared with the one decided on last. What differs by more than one person's face does in
half a second is shown as changing and decided on next; it says nothing about who it is.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from models.arrays import Bytes, Floats

_SIDE = 16

#: Correlation below which two crops may show two people. In two videos of one signing person each it stays above 0.72
#: over half a second; of two people of ``pubfig30/train`` it is 0.16 in the median, 0.62 at the 99th percentile.
LEAST_LIKENESS: Final = 0.65


def thumbnail(crop: Bytes) -> Floats:
    """(S, S, 3) uint8 RGB -> (256,) of unit length: its coarse light and shade, whatever the exposure; zero if flat."""
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    shade = grey.astype(np.float32).ravel()
    shade -= shade.mean()
    length = float(np.linalg.norm(shade))
    return shade / np.float32(length) if length > 0 else shade


def likeness(one: Floats, other: Floats) -> float:
    """The correlation of two thumbnails, -1 to 1; two that are flat are alike."""
    return float(one @ other) if one.any() or other.any() else 1.0

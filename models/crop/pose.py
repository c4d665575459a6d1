"""The canonical pose: where the five landmarks of a face lie in a crop.

Every crop that the recogniser sees is a similarity transform of the picture that brings the landmarks as
near as possible to this template, so that a pair of glasses lies at fixed pixels: about rows 56-111 and
columns 29-193 of a crop of 224 x 224. Drawn eyewear (``models.crop.wearables``) and the alignment
(``realtime.faces.align``) share it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.arrays import Floats

TEMPLATE_SIDE: Final = 224
LANDMARK_NAMES: Final = ("left eye", "right eye", "nose tip", "left mouth corner", "right mouth corner")
_TEMPLATE: Final = (
    (73.1, 79.2),
    (150.9, 79.2),
    (112.0, 114.0),
    (77.0, 163.5),
    (147.0, 163.5),
)


def template(size: int) -> Floats:
    """The five landmarks in a crop of ``size`` x ``size`` pixels.

    Returns:
        (5, 2) float32, (x, y) in the order of ``LANDMARK_NAMES``; "left" is the image's left.

    Raises:
        ValueError: ``size`` is not positive.
    """
    if size <= 0:
        raise ValueError(f"a crop's side must be positive, got {size}")
    return np.array(_TEMPLATE, dtype=np.float32) * np.float32(size / TEMPLATE_SIDE)

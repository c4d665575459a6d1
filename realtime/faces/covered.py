"""Whether eyes or mouth of a face are covered, by how little is to be seen there.

Over the eyes and over the mouth the grey levels of a bare face lie far apart: of 500 crops of PubFig83's 30 people
(``pubfig30``, 112 px) the 5th and the 95th percentile are less than 37 and 31 of 255 apart in 1 %, and 104 and 78 in
the median; 6 of the 500 are taken for covered. Cloth and dark glass of one colour, drawn onto the same crops
(``face_mask`` and ``sunglasses_filled`` of ``models.crop.wearables``, with a little grain and shade), leave at most
16, and all are found. A patterned scarf or a hand is not.
"""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np

from models.arrays import Bytes
from models.crop.pose import TEMPLATE_SIDE

Part = Literal["eyes", "mouth"]

LEAST_SPREAD: Final = 28.0  # grey levels between the 5th and the 95th percentile
#: Rectangles x1, y1, x2, y2 in a crop of side 224.
_PLACES: Final[dict[Part, tuple[tuple[int, int, int, int], ...]]] = {
    "eyes": ((54, 66, 92, 92), (132, 66, 170, 92)),
    "mouth": ((84, 150, 140, 178),),
}


def covered(crop: Bytes) -> Part | None:
    """What of the canonical crop (S, S, 3) RGB is covered; None: nothing that is found."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    scale = len(crop) / TEMPLATE_SIDE
    for part, places in _PLACES.items():
        boxes = [[round(edge * scale) for edge in place] for place in places]
        low, high = np.percentile(np.concatenate([grey[y1:y2, x1:x2].ravel() for x1, y1, x2, y2 in boxes]), (5, 95))
        if high - low < LEAST_SPREAD:
            return part
    return None

"""Parts of a camera's picture that are watched, or left out: faces elsewhere are not followed, decided on or kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.arrays import Floats
from realtime.types import DetectedFace


@dataclass(frozen=True)
class Areas:
    """Polygons (N, 2) of x and y as shares of the picture's width and height.

    A face counts where the middle of its box lies: in one of ``watch`` (anywhere, if there are none), and in none of
    ``ignore``.
    """

    watch: tuple[Floats, ...] = ()
    ignore: tuple[Floats, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.watch or self.ignore)

    def keep(self, faces: Iterable[DetectedFace], shape: Sequence[int]) -> list[DetectedFace]:
        """The faces that count, in a picture of this shape (H, W, ...)."""
        return [face for face in faces if self._counts(face, shape)]

    def _counts(self, face: DetectedFace, shape: Sequence[int]) -> bool:
        x1, y1, x2, y2 = (float(edge) for edge in face.box)
        middle = ((x1 + x2) / 2 / shape[1], (y1 + y2) / 2 / shape[0])
        if any(_inside(polygon, middle) for polygon in self.ignore):
            return False
        return not self.watch or any(_inside(polygon, middle) for polygon in self.watch)


def _inside(polygon: Floats, point: tuple[float, float]) -> bool:
    return cv2.pointPolygonTest(np.asarray(polygon, np.float32)[:, None], point, False) >= 0

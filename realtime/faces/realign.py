"""A second look at where the face lies in its crop, that no pixel of a pair of glasses takes part in.

Both eyes' landmarks lie under glasses, and whatever glasses show there can pull the detector's landmarks, so that the
crop follows them (A9, ``tools.attacks.landmarks``). A small net looks at the middle of the crop with the eyewear zone
filled, and says by which similarity nose, mouth, cheeks and chin are away from the canonical pose. Where that is more
than landmarks err by themselves the crop is cut again.

The net was trained on displaced crops (``tools.maintain.train_realign``), of which it sees the middle only: that part
of a displaced crop still lies within the original picture, so that it cannot read the answer off a border.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from models.arrays import Bytes
from models.crop.pose import TEMPLATE_SIDE
from models.crop.zones import zone_mask
from realtime.faces.align import Matrix, crop_face, cut, similarity

#: Side of the crops that the net was trained on, and the part of them that it sees: rows and columns.
SIDE: Final = 112
ROWS: Final = (26, 94)
COLUMNS: Final = (22, 90)
#: The eyewear zone's fill; any would do that the net was trained with.
FILL: Final = (124, 117, 104)
#: Units of the net's four outputs: pixels of a crop of 224 (x, y), degrees, natural logarithm of the size.
UNITS: Final = (20.0, 20.0, 5.0, 0.1)
ASSET: Final = "realign.onnx"


@dataclass(frozen=True)
class Displacement:
    """From a crop to the canonical pose, about its centre: v = scale R(degrees) u + (x, y), in pixels of 224."""

    x: float = 0.0
    y: float = 0.0
    degrees: float = 0.0
    scale: float = 1.0

    @property
    def farthest(self) -> float:
        """How far a pixel 95 from the centre (the eyewear zone's edge) is off, about: pixels of 224."""
        return math.hypot(self.x, self.y) + 95 * math.hypot(math.radians(self.degrees), self.scale - 1)

    def matrix(self, size: int) -> Matrix:
        """(2, 3): from pixels of a crop of side ``size`` to those of the crop that it should have been."""
        turn, centre = math.radians(self.degrees), size / 2 - 0.5
        rotation = self.scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        shift = np.array([self.x, self.y]) * size / TEMPLATE_SIDE
        return np.column_stack([rotation, centre + shift - rotation @ np.array([centre, centre])])


def window(crops: Bytes) -> Bytes:
    """What the net sees of crops (N, S, S, 3) RGB: (N, 68, 68, 3), the eyewear zone filled."""
    if crops.shape[1] != SIDE:
        crops = np.stack([cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in crops])
    seen = crops[:, ROWS[0] : ROWS[1], COLUMNS[0] : COLUMNS[1]].copy()
    seen[:, zone_mask("eyewear", SIDE)[ROWS[0] : ROWS[1], COLUMNS[0] : COLUMNS[1]]] = FILL
    return seen


class Realigner:
    """Measures displacements, one thread.

    Args:
        tolerance: a crop that is off by less (``Displacement.farthest``) is left as it is: landmarks jitter, and so
            does the net.
        most: how often a crop is cut again.
    """

    def __init__(self, *, tolerance: float = 22.0, most: int = 3, model: bytes | None = None) -> None:
        content = model or (resources.files("realtime") / "assets" / ASSET).read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.tolerance = tolerance
        self.most = most

    def displacements(self, crops: Bytes) -> list[Displacement]:
        """Of crops (N, S, S, 3) uint8 RGB."""
        (found,) = self._session.run(None, {"pixels": window(crops)})
        values = (found * np.array(UNITS, np.float32)).tolist()
        return [Displacement(x, y, degrees, math.exp(size)) for x, y, degrees, size in values]

    def crop(self, bgr: Bytes, landmarks: npt.NDArray[Any], size: int) -> tuple[Bytes, Matrix]:
        """The canonical crop by the landmarks, cut again while it is off by more than the tolerance.

        Args:
            bgr: (H, W, 3) uint8 frame.
            landmarks: (5, 2), (x, y) in the frame.

        Returns:
            (S, S, 3) uint8 RGB, and the (2, 3) transform from the frame that it was cut with.

        Raises:
            ValueError: as ``realtime.faces.align.similarity``.
        """
        matrix = similarity(landmarks, size)
        crop = cut(bgr, matrix, size)
        for _ in range(self.most):
            off = self.displacements(crop[None])[0]
            if off.farthest <= self.tolerance:
                break
            matrix = compose(off.matrix(size), matrix)
            crop = cut(bgr, matrix, size)
        return crop, matrix


def cut_face(bgr: Bytes, landmarks: npt.NDArray[Any], size: int, realigner: Realigner | None) -> Bytes:
    """The canonical crop (S, S, 3) RGB by the landmarks, after a second look where there is somebody to take it."""
    return crop_face(bgr, landmarks, size) if realigner is None else realigner.crop(bgr, landmarks, size)[0]


def compose(second: Matrix, first: Matrix) -> Matrix:
    """(2, 3) of ``first``, then ``second``."""
    whole = np.vstack([first, [0, 0, 1]])
    return np.asarray(second @ whole, dtype=np.float64)

"""A second look at where the face lies in its crop, that no pixel of a pair of glasses takes part in.

Both eyes' landmarks lie under glasses, and whatever glasses show there can pull the detector's landmarks, so that the
crop follows them (A9, ``tools.attacks.landmarks``). A small net looks at the middle of a crop with the eyewear zone
filled, and says by which similarity nose, mouth, cheeks and chin are away from the canonical pose. In a crop that lies
right the glasses are hidden, whatever they show: so the right pose always stands. In one that lies wrong they may stick
out of the zone and mislead the net too. Therefore the face is sought from many starts around the detector's box, and
the pose that most of them come to is taken, where it is farther from the landmarks' than landmarks err by themselves.

The net was trained on displaced crops (``tools.maintain.train_realign``), of which it sees the middle only: that part
of a displaced crop still lies within the original picture, so that it cannot read the answer off a border.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from models.arrays import Bytes
from models.crop.pose import TEMPLATE_SIDE
from models.crop.zones import zone_mask
from realtime.faces.align import Matrix, crop_face, cut, inverse, similarity
from realtime.types import DetectedFace

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
    seen[:, _hidden()] = FILL
    return seen


#: Where MTCNN's boxes have the canonical crop: its side and its centre's place below the box's, in sides of the box
#: (the square root of its area; means over 150 photographs of training people, as ``tools.alignment`` prints them).
BOX_SIDE: Final = 1.146
BOX_BELOW: Final = 0.053
#: Where the face is sought from, around the box's pose: (x, y) in pixels of a crop of 224, and scale. First from a few
#: places: where these agree with the landmarks, that is enough.
FEW: Final = ((-40, 0, 1.0), (40, 0, 1.0), (0, -40, 1.0), (0, 40, 1.0), (0, 0, 0.75), (0, 0, 1.3))
MANY: Final = tuple((x, y, scale) for scale in (0.8, 1.25) for x in (-40, 0, 40) for y in (-40, 0, 40))
#: Poses nearer to each other than this are one (``Displacement.farthest``).
_SAME: Final = 20.0
#: A start that still moved by this much at the end counts 1/e of one that had come to rest.
_AT_REST: Final = 10.0
#: The part of the picture that is looked at: its side in sides of the box's crop, and how much finer than a crop.
_PART: Final = 2.75
_FINER: Final = 1.25


class Realigner:
    """Says where a face lies, one thread.

    Args:
        tolerance: landmarks that are off by less (``Displacement.farthest``) decide: they jitter, and so does the net.
        rounds: how often every start is moved to where the net sees the face from it; first of the few, then of many.
        strayed: a crop that is only looked after is cut again where one look finds it off by more than this.
        most: how often that is done.
    """

    def __init__(
        self,
        *,
        tolerance: float = 14.0,
        rounds: tuple[int, int] = (3, 5),
        strayed: float = 22.0,
        most: int = 3,
        model: bytes | None = None,
    ) -> None:
        content = model or (resources.files("realtime") / "assets" / ASSET).read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.tolerance = tolerance
        self.rounds = rounds
        self.strayed = strayed
        self.most = most

    def displacements(self, crops: Bytes) -> list[Displacement]:
        """Of crops (N, S, S, 3) uint8 RGB."""
        return self._seen(window(crops))

    def crop(self, bgr: Bytes, face: DetectedFace, size: int) -> tuple[Bytes, Matrix]:
        """The canonical crop by the landmarks, or by the pose that was voted for where that is beyond the tolerance.

        Args:
            bgr: (H, W, 3) uint8 frame.
            face: box and landmarks in the frame.

        Returns:
            (S, S, 3) uint8 RGB, and the (2, 3) transform from the frame that it was cut with.

        Raises:
            ValueError: as ``realtime.faces.align.similarity``.
        """
        landmarks, matrix = similarity(face.landmarks, SIDE), similarity(face.landmarks, size)
        by_box = _by_box(face)
        side = round(_PART * _FINER * SIDE)
        to_part = _scaled(by_box, _FINER, side)
        part, from_part = cut(bgr, to_part, side), inverse(to_part)
        few, many = self.rounds
        poses, _ = self._sought(part, from_part, by_box, FEW, few)
        if (_apart(_numbers([landmarks, *poses]))[0] <= self.tolerance).all():
            return cut(bgr, matrix, size), matrix
        voted = _vote(*self._sought(part, from_part, by_box, MANY, many))
        if _apart(_numbers([landmarks, voted]))[0, 1] > self.tolerance:
            matrix = voted * (size / SIDE)
        return cut(bgr, matrix, size), matrix

    def look_after(self, bgr: Bytes, matrix: Matrix, size: int) -> tuple[Bytes, Matrix]:
        """As ``crop``, for a face whose pose (2, 3) is about known: cut again while it is off."""
        crop = cut(bgr, matrix, size)
        for _ in range(self.most):
            off = self.displacements(crop[None])[0]
            if off.farthest <= self.strayed:
                break
            matrix = compose(off.matrix(size), matrix)
            crop = cut(bgr, matrix, size)
        return crop, matrix

    def _seen(self, windows: Bytes) -> list[Displacement]:
        (found,) = self._session.run(None, {"pixels": windows})
        values = (found * np.array(UNITS, np.float32)).tolist()
        return [Displacement(x, y, degrees, math.exp(size)) for x, y, degrees, size in values]

    def _sought(
        self,
        part: Bytes,
        from_part: Matrix,
        by_box: Matrix,
        starts: Sequence[tuple[float, float, float]],
        rounds: int,
    ) -> tuple[list[Matrix], list[float]]:
        """Where each start comes to, (2, 3) from the frame to a crop of ``SIDE``, and how far it moved at last.

        Args:
            part: (H, W, 3) RGB of the frame's part around the face, that ``from_part`` takes to the frame.
        """
        poses = [compose(Displacement(x, y, scale=scale).matrix(SIDE), by_box) for x, y, scale in starts]
        moves: list[Displacement] = []
        for _ in range(rounds):
            moves = self._seen(np.stack([_window_of(part, compose(pose, from_part)) for pose in poses]))
            poses = [compose(move.matrix(SIDE), pose) for move, pose in zip(moves, poses, strict=True)]
        return poses, [move.farthest for move in moves]


def _vote(poses: list[Matrix], moved: list[float]) -> Matrix:
    """(2, 3): the middle of the poses that most starts came to."""
    numbers = _numbers(poses)
    near = _apart(numbers) < _SAME
    votes = near @ np.exp(-np.array(moved) / _AT_REST)
    chosen = numbers[:, near[int(np.argmax(votes))]]
    turned, placed = np.median(chosen.real, axis=1) + 1j * np.median(chosen.imag, axis=1)
    return np.array([[turned.real, -turned.imag, placed.real], [turned.imag, turned.real, placed.imag]])


def _by_box(face: DetectedFace) -> Matrix:
    """(2, 3): from the frame to the upright crop of ``SIDE`` that faces in such a box have."""
    x1, y1, x2, y2 = (float(edge) for edge in face.box)
    side = math.sqrt(max(1.0, (x2 - x1) * (y2 - y1)))
    scale, centre = SIDE / (BOX_SIDE * side), SIDE / 2 - 0.5
    x, y = (x1 + x2) / 2, (y1 + y2) / 2 + BOX_BELOW * side
    return np.array([[scale, 0, centre - scale * x], [0, scale, centre - scale * y]])


def _scaled(matrix: Matrix, finer: float, side: int) -> Matrix:
    """(2, 3): ``matrix`` to a crop of ``SIDE``, ``finer`` times larger in the middle of a picture of that side."""
    shift = side / 2 - 0.5 - finer * (SIDE / 2 - 0.5)
    return compose(np.array([[finer, 0, shift], [0, finer, shift]]), matrix)


def _window_of(part: Bytes, matrix: Matrix) -> Bytes:
    """As ``window``, cut from a picture by the (2, 3) transform to a crop of ``SIDE``: (68, 68, 3)."""
    to_window = matrix - np.array([[0, 0, COLUMNS[0]], [0, 0, ROWS[0]]])
    seen = cv2.warpAffine(part, to_window, (COLUMNS[1] - COLUMNS[0], ROWS[1] - ROWS[0]), flags=cv2.INTER_LINEAR)
    seen[_hidden()] = FILL
    return np.asarray(seen)


@cache
def _hidden() -> npt.NDArray[np.bool_]:
    """(68, 68): where the eyewear zone lies in what the net sees."""
    return np.ascontiguousarray(zone_mask("eyewear", SIDE)[ROWS[0] : ROWS[1], COLUMNS[0] : COLUMNS[1]])


def _numbers(poses: list[Matrix]) -> npt.NDArray[np.complex128]:
    """(2, N): a and b of each similarity as z' = a z + b."""
    return np.array([[pose[:, 0] @ (1, 1j), pose[:, 2] @ (1, 1j)] for pose in poses]).T


def _apart(numbers: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
    """(N, N): how far apart poses to crops of ``SIDE`` are, as ``Displacement.farthest``."""
    a, b = numbers
    turned = a[:, None] / a[None]
    centre = (SIDE / 2 - 0.5) * (1 + 1j)
    shift = np.abs(turned * (centre - b[None]) + b[:, None] - centre) * TEMPLATE_SIDE / SIDE
    return np.asarray(shift + 95 * np.hypot(np.angle(turned), np.abs(turned) - 1), np.float64)


def cut_face(bgr: Bytes, face: DetectedFace, size: int, realigner: Realigner | None) -> Bytes:
    """The canonical crop (S, S, 3) RGB by the landmarks, after a second look where there is somebody to take it."""
    return crop_face(bgr, face.landmarks, size) if realigner is None else realigner.crop(bgr, face, size)[0]


def compose(second: Matrix, first: Matrix) -> Matrix:
    """(2, 3) of ``first``, then ``second``."""
    whole = np.vstack([first, [0, 0, 1]])
    return np.asarray(second @ whole, dtype=np.float64)

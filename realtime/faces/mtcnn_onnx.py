"""MTCNN through ONNX Runtime: the same boxes and landmarks as ``MtcnnDetector``, in a fraction of the time.

facenet-pytorch resamples the whole picture for each level of the pyramid, and every candidate for itself in a
Python loop. Its resampling (torch's ``area`` mode) averages whole pixels over rectangles, and a picture's integral
gives any such average from four numbers, exactly: one integral serves all levels and, in one gather each, all
candidates of the second and third net. Beside two busy cores, one thread each, 640 x 360 with up to five faces took
a third of the torch version's time at a smallest face of 40 pixels and 45 % of it at 20; coordinates differ by 1e-4 px.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from models.arrays import Bytes, Floats
from realtime.faces.detect import SMALLEST_WORKING_FACE, check_settings, shrink, to_faces
from realtime.faces.mtcnn_nets import load_net
from realtime.types import DetectedFace

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# As the authors and facenet-pytorch have them
_THRESHOLDS: Final = (0.6, 0.7, 0.7)
_PYRAMID_FACTOR: Final = 0.709
_WINDOW, _STRIDE = 12, 2
_MOST_CANDIDATES = 64  # per run of a net: bounds the memory that a hostile picture can ask for


class MtcnnOnnxDetector:
    """MTCNN in ONNX Runtime on the CPU; see ``realtime.faces.detect.FaceDetector``."""

    def __init__(
        self,
        *,
        min_face: int = 40,
        working_size: int = 640,
        threshold: float = 0.9,
        threads: int = 1,
    ) -> None:
        """
        Args:
            min_face: smallest face that is looked for, in pixels of the frame.
            working_size: the picture is shrunk until its longer side is at most this many pixels.
            threshold: faces scored below this are dropped, in [0, 1].
            threads: ONNX Runtime's threads for each of the nets (they run one after the other).
        """
        check_settings(min_face=min_face, working_size=working_size, threshold=threshold, threads=threads)
        self._min_face = min_face
        self._working_size = working_size
        self._threshold = threshold
        self._nets = {name: _session(load_net(name), threads) for name in "pro"}

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        picture, scale = shrink(bgr, self._working_size)
        smallest = max(SMALLEST_WORKING_FACE, round(self._min_face * scale))
        if min(picture.shape[:2]) < smallest:
            return []
        integral = cv2.integral(picture, sdepth=cv2.CV_64F if picture.size * 255 >= 2**31 else cv2.CV_32S)
        boxes = self._propose(integral, smallest)
        boxes = self._refine(integral, boxes)
        boxes, scores, points = self._finish(integral, boxes)
        return to_faces(boxes, points, scores, scale=scale, threshold=self._threshold, min_face=self._min_face)

    def _propose(self, integral: npt.NDArray[Any], smallest: int) -> Doubles:
        """First net, over a pyramid: squares (N, 4) that may hold a face."""
        height, width = integral.shape[0] - 1, integral.shape[1] - 1
        found: list[Doubles] = []
        scale = _WINDOW / smallest
        while min(height, width) * scale >= _WINDOW:
            level = _resample(integral, int(height * scale + 1), int(width * scale + 1))
            (cells,) = self._nets["p"].run(None, {"pixels": level})
            candidates = _windows(cells[0], scale)
            found.append(candidates[_suppress(candidates, 0.5)])
            scale *= _PYRAMID_FACTOR
        rows = np.concatenate(found)
        rows = rows[_suppress(rows, 0.7)]
        sides = rows[:, 2:4] - rows[:, :2]
        return _squared(rows[:, :4] + rows[:, 5:9] * np.hstack([sides, sides]))

    def _refine(self, integral: npt.NDArray[Any], boxes: Doubles) -> Doubles:
        """Second net: fewer, better squares (N, 4)."""
        boxes, (logits, offsets) = self._look("r", integral, boxes, side=24)
        scores = _face_probability(logits[:, 0], logits[:, 1])
        passed = scores > _THRESHOLDS[1]
        rows = np.column_stack([boxes[passed], scores[passed], offsets[passed]])
        rows = rows[_suppress(rows, 0.7)]
        return _squared(_shifted(rows[:, :4], rows[:, 5:9]))

    def _finish(self, integral: npt.NDArray[Any], boxes: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Third net: boxes (N, 4), scores (N,), landmarks (N, 5, 2)."""
        boxes, (logits, offsets, points) = self._look("o", integral, boxes, side=48)
        scores = _face_probability(logits[:, 0], logits[:, 1])
        passed = scores > _THRESHOLDS[2]
        boxes, scores, offsets, points = boxes[passed], scores[passed], offsets[passed], points[passed]
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        relative = np.stack([points[:, :5], points[:, 5:]], axis=-1)
        landmarks = relative * sides[:, np.newaxis] + boxes[:, np.newaxis, :2] - 1
        boxes = _shifted(boxes, offsets)
        kept = _suppress_nested(boxes, scores, 0.7)
        return boxes[kept], scores[kept], landmarks[kept]

    def _look(
        self, name: str, integral: npt.NDArray[Any], boxes: Doubles, side: int
    ) -> tuple[Doubles, list[npt.NDArray[np.float64]]]:
        """Run a net on what lies within the boxes; those without a pixel in the picture are dropped."""
        corners = _clipped(boxes, integral.shape[0] - 1, integral.shape[1] - 1)
        seen = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        boxes, corners = boxes[seen], corners[seen]
        widths = [output.shape[1] for output in self._nets[name].get_outputs()]
        outputs: list[list[Floats]] = [[np.empty((0, width), np.float32)] for width in widths]
        for start in range(0, len(corners), _MOST_CANDIDATES):
            pixels = _cut_out(integral, corners[start : start + _MOST_CANDIDATES], side)
            for collected, output in zip(outputs, self._nets[name].run(None, {"pixels": pixels}), strict=True):
                collected.append(output)
        return boxes, [np.concatenate(parts).astype(np.float64) for parts in outputs]


def _session(model: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _bins(length: npt.ArrayLike, cells: int) -> tuple[Integers, Integers]:
    """First and past-the-last pixel of each of ``cells`` bins over ``length`` pixels (torch's ``area`` mode)."""
    lengths = np.asarray(length, dtype=np.int64)[..., np.newaxis]
    index = np.arange(cells, dtype=np.int64)
    return index * lengths // cells, -((index + 1) * -lengths // cells)


def _resample(integral: npt.NDArray[Any], height: int, width: int) -> Floats:
    """The whole picture at ``height`` x ``width``: (1, 3, height, width)."""
    top, bottom = _bins(integral.shape[0] - 1, height)
    left, right = _bins(integral.shape[1] - 1, width)
    rows = integral[bottom] - integral[top]
    sums = (rows[:, right] - rows[:, left]).astype(np.float32)
    counts = ((bottom - top)[:, np.newaxis] * (right - left)).astype(np.float32)
    return np.ascontiguousarray((sums / counts[..., np.newaxis]).transpose(2, 0, 1)[np.newaxis])


def _cut_out(integral: npt.NDArray[Any], corners: Integers, side: int) -> Floats:
    """The rectangles x1, y1, x2, y2 (past the last pixel) at ``side`` x ``side``: (N, 3, side, side)."""
    left, right = _bins(corners[:, 2] - corners[:, 0], side)
    top, bottom = _bins(corners[:, 3] - corners[:, 1], side)
    left, right = left + corners[:, :1], right + corners[:, :1]
    top, bottom = top + corners[:, 1:2], bottom + corners[:, 1:2]
    flat, stride = integral.reshape(-1, 3), integral.shape[1]

    def at(rows: Integers, columns: Integers) -> npt.NDArray[Any]:
        taken: npt.NDArray[Any] = np.take(flat, rows[:, :, np.newaxis] * stride + columns[:, np.newaxis, :], axis=0)
        return taken

    sums = (at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)).astype(np.float32)
    counts = ((bottom - top)[:, :, np.newaxis] * (right - left)[:, np.newaxis, :]).astype(np.float32)
    return np.ascontiguousarray((sums / counts[..., np.newaxis]).transpose(0, 3, 1, 2))


def _face_probability(background: npt.NDArray[Any], face: npt.NDArray[Any]) -> Doubles:
    """Softmax of two logits."""
    return np.asarray(1 / (1 + np.exp(background.astype(np.float64) - face)), dtype=np.float64)


def _windows(cells: Floats, scale: float) -> Doubles:
    """The first net's windows above its threshold: (N, 9) x1, y1, x2, y2, score and four offsets."""
    scores = _face_probability(cells[0], cells[1])
    rows, columns = np.nonzero(scores >= _THRESHOLDS[0])
    # In single precision, as torch has it: the quotient is often a whole number but for rounding, and floor decides.
    place = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE
    first, last = np.floor((place + 1) / np.float32(scale)), np.floor((place + _WINDOW) / np.float32(scale))
    return np.column_stack([first, last, scores[rows, columns], cells[2:6, rows, columns].T])


def _suppress(rows: Doubles, threshold: float) -> Integers:
    """Non-maximum suppression of (N, 5 or more) x1, y1, x2, y2, score: the kept indices, best first."""
    if len(rows) == 0:
        return np.empty(0, dtype=np.int64)
    sized = np.hstack([rows[:, :2], rows[:, 2:4] - rows[:, :2]])
    kept = cv2.dnn.NMSBoxes(sized.tolist(), rows[:, 4].tolist(), 0.0, threshold)
    return np.asarray(kept, dtype=np.int64).ravel()


def _suppress_nested(boxes: Doubles, scores: Doubles, threshold: float) -> list[int]:
    """Suppression by the share of the *smaller* box that is covered (so that a face within a face goes)."""
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    waiting = list(np.argsort(-scores, kind="stable"))
    kept: list[int] = []
    while waiting:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        common = np.minimum(boxes[waiting, 2:], boxes[best, 2:]) - np.maximum(boxes[waiting, :2], boxes[best, :2]) + 1
        covered = common.clip(min=0).prod(axis=1) / np.minimum(areas[waiting], areas[best])
        waiting = [index for index, share in zip(waiting, covered, strict=True) if share <= threshold]
    return kept


def _shifted(boxes: Doubles, offsets: Doubles) -> Doubles:
    """Boxes moved by the net's offsets, which are in box sides."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.hstack([sides, sides])


def _squared(boxes: Doubles) -> Doubles:
    """The squares around the boxes' centres."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True, initial=0)
    corner = boxes[:, :2] + sides / 2 - longer / 2
    return np.hstack([corner, corner + longer])


def _clipped(boxes: Doubles, height: int, width: int) -> Integers:
    """The boxes' pixels in the picture: x1, y1, and past-the-last x2, y2 (the boxes count from one, as Matlab does)."""
    whole = np.trunc(boxes).astype(np.int64)
    first = np.maximum(whole[:, :2], 1) - 1
    last = np.minimum(whole[:, 2:], (width, height))
    return np.hstack([first, last])

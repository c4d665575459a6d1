"""Finds faces and their five landmarks in a frame.

``FaceDetector`` is the protocol that the pipeline knows; ``MtcnnDetector`` here is the reference
(facenet-pytorch carries the weights of Zhang et al. 2016 in its wheel), ``realtime.faces.yunet`` a second
implementation for users who bring the file of OpenCV's YuNet.

Measured (two cores, one torch thread): MTCNN at 640 x 480 takes 92 / 40 / 22 ms for a smallest face of
20 / 40 / 80 pixels, and 344 ms on two threads while another pool spins. Hence the explicit thread count, the
limit on the working size, and a smallest face of 40 pixels by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from realtime.types import DetectedFace

SMALLEST_WORKING_FACE = 20
"""Pixels in the downscaled picture: below this MTCNN was not trained, and each halving costs four times."""


class FaceDetector(Protocol):
    """Finds the faces of one frame."""

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        """The faces in ``bgr`` (H, W, 3) uint8, the largest first; empty where there is none.

        Boxes and landmarks are in pixels of ``bgr``; landmarks run image-left first (see ``DetectedFace``).
        Boxes may reach over the frame's edge. Never raises for a picture that is small or empty of faces.
        """
        ...


class MtcnnDetector:
    """MTCNN of facenet-pytorch on the CPU."""

    def __init__(
        self, *, min_face: int = 40, working_size: int = 640, threshold: float = 0.9, threads: int = 1
    ) -> None:
        """
        Args:
            min_face: smallest face that is looked for, in pixels of the frame.
            working_size: the picture is shrunk until its longer side is at most this many pixels.
            threshold: faces scored below this are dropped, in [0, 1].
            threads: torch threads while detecting (the caller's own number is restored afterwards).
        """
        check_settings(min_face=min_face, working_size=working_size, threshold=threshold, threads=threads)
        from facenet_pytorch import MTCNN  # imports torch: seconds, and not every detector needs it

        self._min_face = min_face
        self._working_size = working_size
        self._threshold = threshold
        self._threads = threads
        self._mtcnn: Any = MTCNN(keep_all=True, min_face_size=min_face, post_process=False, device="cpu").eval()

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        picture, scale = shrink(bgr, self._working_size)
        smallest = max(SMALLEST_WORKING_FACE, round(self._min_face * scale))
        if min(picture.shape[:2]) < smallest:
            return []  # facenet-pytorch raises on a picture without any pyramid level
        self._mtcnn.min_face_size = smallest
        with torch_threads(self._threads):
            try:
                boxes, scores, landmarks = self._mtcnn.detect(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), landmarks=True)
            except (RuntimeError, IndexError):
                # facenet-pytorch drops candidates that lie wholly outside the picture from the batch, but not
                # from the list of boxes, and then fails on the unequal lengths. Rare; this frame has no faces.
                return []
        if boxes is None:
            return []
        return to_faces(boxes, landmarks, scores, scale=scale, threshold=self._threshold, min_face=self._min_face)


def shrink(bgr: Bytes, working_size: int) -> tuple[Bytes, float]:
    """The picture with its longer side at most ``working_size``, and the factor that was applied (1 = none)."""
    height, width = bgr.shape[:2]
    longer = max(height, width)
    if longer <= working_size:
        return bgr, 1.0
    scale = working_size / longer
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def to_faces(
    boxes: npt.NDArray[Any],
    landmarks: npt.NDArray[Any],
    scores: npt.NDArray[Any],
    *,
    scale: float,
    threshold: float,
    min_face: int,
) -> list[DetectedFace]:
    """Detections in a shrunken picture as faces of the frame, the largest first.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        landmarks: (N, 5, 2).
        scores: (N,).
        scale: the factor of ``shrink``.
        threshold: faces scored below it are dropped.
        min_face: faces whose box's longer side is below it, in pixels of the frame, are dropped.
    """
    # Pixel i of the small picture covers [i, i + 1): its centre is i + 1/2 there and (i + 1/2) / scale in the frame.
    shift = 0.5 / scale - 0.5
    # facenet-pytorch hands out arrays of dtype object
    in_frame = np.asarray(boxes, dtype=np.float64) / scale + shift
    points_in_frame = np.asarray(landmarks, dtype=np.float64) / scale + shift
    faces = [
        DetectedFace(box=box.astype(np.float32), landmarks=points.astype(np.float32), score=float(score))
        for box, points, score in zip(in_frame, points_in_frame, scores, strict=True)
        if score >= threshold
        and max(box[2:] - box[:2]) >= min_face
        and np.isfinite(points).all()
        and np.ptp(points, axis=0).max() > 1
    ]
    return sorted(faces, key=_area, reverse=True)


def check_settings(*, min_face: int, working_size: int, threshold: float, threads: int) -> None:
    """Refuse settings that no detector can work with.

    Raises:
        ValueError: says which one and its range.
    """
    if min_face < 1:
        raise ValueError(f"min_face must be at least 1 pixel, got {min_face}")
    if working_size < 2 * SMALLEST_WORKING_FACE:
        raise ValueError(f"working_size must be at least {2 * SMALLEST_WORKING_FACE} pixels, got {working_size}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in [0, 1], got {threshold}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Run a block on so many torch threads, and leave the caller's number as it was."""
    import torch

    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _area(face: DetectedFace) -> float:
    x1, y1, x2, y2 = face.box
    return float((x2 - x1) * (y2 - y1))

"""Moves faces along from one frame to the next by optical flow, where no detection ran.

Sparse pyramidal Lucas-Kanade on a few dozen points of the face (Bouguet 2001, ``cv2.calcOpticalFlowPyrLK``),
checked by following each point back, and one similarity transform through those that agree (RANSAC).
About a millisecond per face, whatever the face's size.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from realtime.types import DetectedFace

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

_WORKING_FACE: Final = 96  # pixels of a face's longer side while its points are followed
_MARGIN: Final = 0.5  # of the box on each side: how far a face may move between two frames
_BACK_ERROR: Final = 1.0  # working pixels between a point and where it comes back to
_FEWEST: Final = 8  # points that must agree
_SCALE_RANGE: Final = (0.7, 1.4)  # a face does not grow more than this between two frames
_GRID: Final = np.stack(np.meshgrid(np.linspace(0.2, 0.8, 6), np.linspace(0.15, 0.85, 6)), axis=-1).reshape(-1, 2)


def follow(face: DetectedFace, before: Grey, after: Grey) -> DetectedFace | None:
    """The face where it went from one frame to a later one, or None where it cannot be followed.

    Args:
        face: in pixels of both frames.
        before: (H, W) uint8, the frame in which the face is where it says.
        after: (H, W) uint8, the later frame.
    """
    if before.shape != after.shape:
        return None
    x1, y1, x2, y2 = _surroundings(face.box, before.shape)
    if x2 - x1 < 16 or y2 - y1 < 16:
        return None
    longer = max(float(face.box[2] - face.box[0]), float(face.box[3] - face.box[1]))
    scale = min(1.0, _WORKING_FACE / longer)
    size = (max(16, round((x2 - x1) * scale)), max(16, round((y2 - y1) * scale)))
    zoom = np.array([size[0] / (x2 - x1), size[1] / (y2 - y1)], dtype=np.float32)
    small_before, small_after = (
        np.asarray(cv2.resize(picture[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        for picture in (before, after)
    )

    corner = np.array([x1, y1], dtype=np.float32)
    points = (_points_of(face) - corner) * zoom
    points = points[((points >= 1) & (points <= np.array(size) - 2)).all(axis=1)].astype(np.float32)
    movement = _movement(small_before, small_after, points)
    if movement is None:
        return None
    small_landmarks = (face.landmarks - corner) * zoom
    landmarks = _apply(movement, small_landmarks) / zoom + corner
    # The box stays upright: its centre moves along, its sides grow.
    centre = (face.box[:2] + face.box[2:]) / 2
    moved_centre = _apply(movement, ((centre - corner) * zoom)[np.newaxis])[0] / zoom + corner
    half = (face.box[2:] - face.box[:2]) / 2 * np.float32(math.hypot(movement[0, 0], movement[1, 0]))
    box = np.concatenate([moved_centre - half, moved_centre + half]).astype(np.float32)
    return DetectedFace(box=box, landmarks=landmarks.astype(np.float32), score=face.score)


def _points_of(face: DetectedFace) -> Points:
    grid = face.box[:2] + _GRID * (face.box[2:] - face.box[:2])
    return np.concatenate([face.landmarks, grid]).astype(np.float32)


def _surroundings(box: npt.NDArray[Any], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    margin = (box[2:] - box[:2]) * _MARGIN
    x1, y1 = np.floor(np.maximum(box[:2] - margin, 0)).astype(int)
    x2, y2 = np.ceil(np.minimum(box[2:] + margin, (shape[1], shape[0]))).astype(int)
    return int(x1), int(y1), int(x2), int(y2)


def _movement(before: Grey, after: Grey, points: Points) -> npt.NDArray[np.float64] | None:
    """The (2, 3) similarity that most points agree on; None where too few do."""
    if len(points) < _FEWEST:
        return None
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, points.copy(), winSize=(13, 13), maxLevel=3)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, there.copy(), winSize=(13, 13), maxLevel=3)
    error = np.linalg.norm(back - points, axis=1)
    kept = (found.ravel() == 1) & (found_back.ravel() == 1) & (error < _BACK_ERROR)
    if kept.sum() < _FEWEST:
        return None
    movement, inliers = cv2.estimateAffinePartial2D(
        points[kept], there[kept], method=cv2.RANSAC, ransacReprojThreshold=1.5
    )
    if movement is None or inliers.sum() < _FEWEST or not np.isfinite(movement).all():
        return None
    if not _SCALE_RANGE[0] <= math.hypot(movement[0, 0], movement[1, 0]) <= _SCALE_RANGE[1]:
        return None
    return np.asarray(movement, dtype=np.float64)


def _apply(movement: npt.NDArray[np.float64], points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return points @ movement[:, :2].T + movement[:, 2]

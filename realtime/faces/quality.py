"""The quality gate: which face crops are good enough to be decided on, and why not.

A refused face becomes ``Unknown(reason)``; it is never guessed.

Where the limits come from: 400 pictures drawn from PubFig83's 30 people (``pubfig30/train``, natively 100 px,
aligned by MTCNN to 112 px crops) have a ``sharpness`` of 0.39 in the median, 0.157 at the first percentile and
0.111 at least: 398 pass the limit of 0.12. Blurred by a Gaussian with a sigma of 3 / 4 / 6 px of the crop,
91 / 99 / 100 % are refused; moved by 15 px along the rows / the columns, 99 / 87 %. Their side offset has
the median 0.08 and the 99th percentile 0.40.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from realtime.faces.align import inverse, scale_of, similarity
from realtime.faces.limits import QualityLimits

TOO_SMALL: Final = "too small"
CUT_OFF: Final = "cut off"
PROFILE: Final = "profile"
BLURRED: Final = "blurred"
REASONS: Final = (TOO_SMALL, CUT_OFF, PROFILE, BLURRED)

_SHARPNESS_SIDE = 48  # below the smallest crop let through: this measures blur, not the face's size
_LEAST_VARIANCE = 100.0  # grey levels squared; flatter than this is noise on darkness, and noise looks sharp
_MIDDLE_ROWS = slice(_SHARPNESS_SIDE * 3 // 16, _SHARPNESS_SIDE * 13 // 16)
_MIDDLE_COLUMNS = slice(_SHARPNESS_SIDE // 4, _SHARPNESS_SIDE * 3 // 4)
_SECOND_DIFFERENCE = np.array([[1, -2, 1]], dtype=np.float32)
_REFERENCE_SIDE = 224


def refusal(
    crop: Bytes,
    landmarks: npt.NDArray[Any],
    frame_shape: tuple[int, ...],
    limits: QualityLimits | None = None,
) -> str | None:
    """Why this face must not be decided on; None where it is good enough.

    Args:
        crop: (S, S, 3) uint8 RGB canonical crop.
        landmarks: (5, 2) in pixels of the frame.
        frame_shape: (H, W, ...) of the frame.
        limits: None = the defaults.

    Returns:
        One of ``REASONS``, the first that holds in that order, or None.
    """
    limits = limits or QualityLimits()
    if side_in_frame(landmarks) < limits.min_side:
        return TOO_SMALL
    if share_inside(landmarks, frame_shape) < limits.min_inside:
        return CUT_OFF
    if side_offset(landmarks) > limits.max_side_offset:
        return PROFILE
    if sharpness(crop) < limits.min_sharpness:
        return BLURRED
    return None


def side_in_frame(landmarks: npt.NDArray[Any]) -> float:
    """The side of the canonical crop's square, in pixels of the frame."""
    return _REFERENCE_SIDE / scale_of(similarity(landmarks, _REFERENCE_SIDE))


def share_inside(landmarks: npt.NDArray[Any], frame_shape: tuple[int, ...]) -> float:
    """The share of the canonical crop's square that lies within the frame; 0 where a landmark lies outside."""
    height, width = frame_shape[:2]
    points = np.asarray(landmarks, dtype=np.float32)
    if (points < 0).any() or (points[:, 0] > width - 1).any() or (points[:, 1] > height - 1).any():
        return 0.0
    side = float(_REFERENCE_SIDE)
    square = np.array([[[0, 0], [side, 0], [side, side], [0, side]]], dtype=np.float64)
    corners = cv2.transform(square, inverse(similarity(points, _REFERENCE_SIDE)))[0].astype(np.float32)
    frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
    common, _ = cv2.intersectConvexConvex(corners, frame)
    return float(common) / float(cv2.contourArea(corners))


def side_offset(landmarks: npt.NDArray[Any]) -> float:
    """How far the nose tip stands from the middle between the eyes, along their line, in eye distances (>= 0)."""
    return abs(turn(landmarks))


def turn(landmarks: npt.NDArray[Any]) -> float:
    """``side_offset`` with its direction: above 0 where the nose points to the image's right."""
    left_eye, right_eye, nose = np.asarray(landmarks, dtype=np.float64)[:3]
    between = right_eye - left_eye
    squared = float(between @ between)
    if squared == 0:
        return float("inf")
    return float((nose - (left_eye + right_eye) / 2) @ between) / squared


def tilt(landmarks: npt.NDArray[Any]) -> float:
    """Where the nose tip stands between the eyes (0) and the mouth (1): the less, the further the head looks up."""
    left_eye, right_eye, nose, left_mouth, right_mouth = np.asarray(landmarks, dtype=np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    down = mouth - eyes
    squared = float(down @ down)
    return float((nose - eyes) @ down) / squared if squared > 0 else float("inf")


def sharpness(crop: Bytes) -> float:
    """How much fine detail the crop's middle has, for its contrast, in the direction that has less of it.

    Four times the smaller variance of the second differences along rows and along columns (the two halves of
    the Laplacian), over the variance of the grey levels. Both directions, because motion blurs only one and
    leaves the Laplacian's variance high; over the variance, so that light and contrast do not matter; at a
    fixed side of 48 px, so that crops of any S compare.

    Args:
        crop: (S, S, 3) uint8 RGB.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SHARPNESS_SIDE, _SHARPNESS_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    middle = small[_MIDDLE_ROWS, _MIDDLE_COLUMNS]
    along_rows = np.asarray(cv2.filter2D(small, -1, _SECOND_DIFFERENCE))[_MIDDLE_ROWS, _MIDDLE_COLUMNS]
    along_columns = np.asarray(cv2.filter2D(small, -1, _SECOND_DIFFERENCE.T))[_MIDDLE_ROWS, _MIDDLE_COLUMNS]
    detail = 4 * min(float(along_rows.var()), float(along_columns.var()))
    return detail / max(float(middle.var()), _LEAST_VARIANCE)

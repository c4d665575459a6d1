"""Cuts the canonical face crop out of a frame by its five landmarks (the pose of ``models.crop.pose``).

The transform is the least-squares similarity of Umeyama 1991 (rotation, one scale, shift; never a mirror
image). Pixels outside the frame become black, as in the crops that the trunk was adapted on.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from models.crop.pose import template

Matrix = npt.NDArray[np.float64]

_SAME_PLACE = 1e-9  # of the coordinates: landmarks nearer to each other are one point
_MOST_SUBPIXELS = 16  # a face 16 times larger than its crop needs a buffer of (16 S)^2 pixels, more is waste

__all__ = ["crop_face", "cut", "inverse", "scale_of", "similarity", "template", "warp"]


def similarity(landmarks: npt.NDArray[Any], size: int) -> Matrix:
    """The transform that takes frame coordinates to coordinates of a canonical crop.

    Args:
        landmarks: (5, 2), (x, y) in the frame, in the order of ``models.crop.pose.LANDMARK_NAMES``.
        size: side of the crop in pixels.

    Returns:
        (2, 3) float64, as ``cv2.warpAffine`` takes it.

    Raises:
        ValueError: the landmarks are not (5, 2), not finite, or all in one place.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"wanted five finite landmarks (5, 2), got shape {points.shape}")
    # In the complex plane a similarity is z' = a z + b, and least squares give Umeyama's answer without a decomposition
    # (``skimage.transform.SimilarityTransform`` gives the same, and takes a second to import).
    found, wanted = points @ (1, 1j), template(size).astype(np.float64) @ (1, 1j)
    apart = found - found.mean()
    spread = float((np.abs(apart) ** 2).sum())
    if spread <= (_SAME_PLACE * max(1.0, float(np.abs(points).max()))) ** 2:
        raise ValueError("the landmarks lie in one place: no similarity transform fits them")
    a = complex((np.conj(apart) * (wanted - wanted.mean())).sum()) / spread
    b = complex(wanted.mean()) - a * complex(found.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def scale_of(matrix: Matrix) -> float:
    """Pixels of the target per pixel of the source, for a (2, 3) similarity."""
    return float(math.hypot(matrix[0, 0], matrix[1, 0]))


def inverse(matrix: Matrix) -> Matrix:
    """The (2, 3) transform that undoes ``matrix``."""
    return np.asarray(cv2.invertAffineTransform(matrix), dtype=np.float64)


def warp(image: npt.NDArray[Any], matrix: Matrix, width: int, height: int) -> npt.NDArray[Any]:
    """Resample ``image`` under the (2, 3) transform ``matrix`` from its pixels to a ``width`` x ``height`` picture.

    Bilinear where the picture is enlarged. Where it shrinks, every source pixel counts: the target is sampled
    on a k times finer grid, k being the shrink factor, and averaged over k x k cells (bilinear alone would
    skip pixels, and a face near the camera would shimmer). Outside the image: zero.
    """
    finer = min(_MOST_SUBPIXELS, max(1, math.ceil(1 / max(scale_of(matrix), 1e-6) - 1e-3)))
    if finer == 1:
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR))
    # Pixel i of the target covers the finer pixels k i ... k i + k - 1, whose centre is k i + (k - 1) / 2.
    fine_matrix = matrix * finer
    fine_matrix[:, 2] += (finer - 1) / 2
    fine = cv2.warpAffine(image, fine_matrix, (width * finer, height * finer), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA))


def crop_face(bgr: Bytes, landmarks: npt.NDArray[Any], size: int) -> Bytes:
    """The canonical crop of one face.

    Args:
        bgr: (H, W, 3) uint8 frame in OpenCV's channel order.
        landmarks: (5, 2), (x, y) in the frame.
        size: side S of the crop in pixels.

    Returns:
        (S, S, 3) uint8 **RGB**.

    Raises:
        ValueError: as ``similarity``.
    """
    return cut(bgr, similarity(landmarks, size), size)


def cut(bgr: Bytes, matrix: Matrix, size: int) -> Bytes:
    """(S, S, 3) uint8 RGB: the frame under the (2, 3) transform to a crop."""
    crop = warp(bgr, matrix, size, size)
    return np.ascontiguousarray(crop[..., ::-1], dtype=np.uint8)

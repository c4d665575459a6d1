"""The saliency mask method (Hayes 2018, "On Visible Adversarial Perturbations & Digital Watermarking").

Where a guided gradient is unnaturally dense, the crop is filled with the mean colour and classified again.
Pure functions on arrays; sizes are pixels of the crop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from models.arrays import Bools, Bytes, Floats

Fill = Literal["mean", "inpaint"]


#: Types and ranges of the parameters, for bundles and configurations alike.
Threshold = Annotated[float, Field(gt=0, le=1)]
Iterations = Annotated[int, Field(ge=0, le=64)]
MinArea = Annotated[int, Field(ge=0, le=100_000)]
Percentile = Annotated[float, Field(gt=0, le=100)]
Kernel = Literal[1, 3, 5, 7, 9]


@dataclass(frozen=True)
class MaskParameters:
    """The parameters of the method; the published ones (mu 0.98, n 8, phi 80) are for crops of side 224.

    Attributes:
        threshold: mu, the scaled saliency from which a pixel counts.
        iterations: n, how often the thresholded map is dilated, then eroded.
        min_area: phi, pixels that a connected component needs to be kept.
        percentile: the percentile of the saliency that becomes 1; 100 is the maximum.
        kernel: side of the square of the dilation and erosion.
        fill: what a masked pixel becomes: the trunk's mean colour, or its surroundings (inpainting).
    """

    threshold: float = 0.98
    iterations: int = 8
    min_area: int = 80
    percentile: float = 99.0
    kernel: Kernel = 3
    fill: Fill = "mean"

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold} is outside (0, 1]")
        if self.iterations < 0 or self.min_area < 0:
            raise ValueError("iterations and min_area must not be negative")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile {self.percentile} is outside (0, 100]")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} must be odd and positive")
        if self.fill not in ("mean", "inpaint"):
            raise ValueError(f"fill {self.fill!r} is neither 'mean' nor 'inpaint'")

    @classmethod
    def published(cls, size: int) -> MaskParameters:
        """mu 0.98, n 8, phi 80 at 224, scaled to a crop of side ``size`` (0.98, 4, 20 at 112)."""
        return replace(cls(), iterations=round(8 * size / 224), min_area=round(80 * (size / 224) ** 2))


def rank_of_percentile(pixels: int, percentile: float) -> int:
    """Index, in ascending order, of the percentile's *higher* order statistic of ``pixels`` values.

    Integer arithmetic on hundredths of a percent, so that every engine picks the same value.
    """
    return -(-(pixels - 1) * round(percentile * 100) // 10_000)


def scale_saliency(gradient: npt.NDArray[np.floating], percentile: float = 99.0) -> Floats:
    """Guided gradients (N, S, S, C) -> saliency (N, S, S) float32 in [0, 1].

    Absolute values summed over the channels, then per image (x - min) / (p - min), clipped, with p the
    percentile's higher order statistic; an image with p = min gives zeros.
    """
    total = np.abs(gradient).sum(axis=-1, dtype=np.float32)
    flat = total.reshape(len(total), math.prod(total.shape[1:]))
    rank = rank_of_percentile(flat.shape[1], percentile)
    high = np.partition(flat, rank, axis=1)[:, rank]
    low = flat.min(axis=1)
    span = high - low
    safe = np.where(span > 0, span, 1)[:, None]
    scaled = np.clip((flat - low[:, None]) / safe, 0, 1)
    scaled[span <= 0] = 0
    result: Floats = scaled.reshape(total.shape).astype(np.float32)
    return result


def saliency_to_mask(saliency: Floats, parameters: MaskParameters) -> Bools:
    """Saliency (S, S) or (N, S, S) in [0, 1] -> mask of the same shape.

    ``saliency >= threshold``, dilated n times *then* eroded n times, 8-connected components of at least
    ``min_area`` pixels. OpenCV's border rule: what lies outside neither dilates nor erodes. An all-zero
    map gives an empty mask.
    """
    if saliency.ndim == 3:
        return np.stack([saliency_to_mask(one, parameters) for one in saliency]) if len(saliency) else saliency > 2
    dense = (saliency >= parameters.threshold).astype(np.uint8)
    if not dense.any():
        return dense.astype(np.bool_)
    if parameters.iterations:
        # n dilations with a k x k square are one with an (n (k - 1) + 1) square, borders included.
        side = parameters.iterations * (parameters.kernel - 1) + 1
        square = np.ones((side, side), np.uint8)
        dense = cv2.erode(cv2.dilate(dense, square), square).astype(np.uint8)
    _, components, statistics, _ = cv2.connectedComponentsWithStats(dense, connectivity=8)
    large = statistics[:, cv2.CC_STAT_AREA] >= parameters.min_area
    large[0] = False  # the background
    mask: Bools = large[components]
    return mask


def apply_mask(crops: Bytes, mask: Bools, fill_rgb: tuple[int, int, int], fill: Fill = "mean") -> Bytes:
    """Crops (N, S, S, 3) with the pixels of ``mask`` (N, S, S) replaced; the input is not changed."""
    masked = crops.copy()
    if fill == "mean":
        masked[mask] = fill_rgb
        return masked
    for index in range(len(crops)):
        if mask[index].any():
            masked[index] = cv2.inpaint(crops[index], mask[index].astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return masked

"""Weights in as many bits as processors without VNNI allow, rounded so that they cost as little as possible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.graphs.builder import quantise

#: Largest weight, and the largest that is safe beside any other: processors without VNNI add two products of a uint8
#: and an int8 in 16 bits, and 2 * 255 * 64 is the most that fits; beyond they saturate silently.
NARROW_SUMS, WIDE_SUMS = 63, 127
_NEIGHBOURS = 4  # input channels whose products are added in pairs


def narrow(weight: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """(O, I, k, k) as ``builder.quantise``, such that no sum of two products saturates, and each kernel keeps its sum.

    Where rounding moves the sum of a kernel by a step and more, what was rounded farthest that way is rounded to the
    other side (Guo et al. 2022, "SQuant"): what is the same over a kernel's places, which most of what a picture has
    is, then passes as it did.
    """
    integers, scale = quantise(weight, levels=safe_levels(weight))
    outputs, inputs = weight.shape[:2]
    errors = (integers - weight / scale).reshape(outputs, inputs, -1)
    sums = errors.sum(axis=2, keepdims=True)
    there = np.sign(sums)
    ranks = np.argsort(np.argsort(-errors * there, axis=2), axis=2)
    moved = (ranks < np.rint(np.abs(sums))) * there
    return (integers - moved.reshape(weight.shape)).astype(np.int8), scale


def safe_levels(weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(O, I, k, k) -> (O, 1, 1, 1): the largest whole number of each output channel, so that no sum of two saturates.

    Kernels add the products of two of four neighbouring input channels at one place. Whichever two of the same sign
    they are, together they may have 128 (255 * 128 < 2 ** 15): 126, and a step each for rounding.
    """
    outputs, inputs = weight.shape[:2]
    if inputs % _NEIGHBOURS:  # other places are neighbours then
        return np.full((outputs, 1, 1, 1), NARROW_SUMS, np.float32)
    groups = (weight / quantise(weight)[1]).reshape(outputs, inputs // _NEIGHBOURS, _NEIGHBOURS, -1)
    sums = [np.sort(np.maximum(signed, 0), axis=2)[:, :, -2:].sum(axis=2) for signed in (groups, -groups)]
    most = np.maximum(*sums).reshape(outputs, -1).max(axis=1)
    safe: npt.NDArray[np.float32] = np.floor(2 * NARROW_SUMS * WIDE_SUMS / np.maximum(most, WIDE_SUMS))
    return safe.astype(np.float32).reshape(-1, 1, 1, 1)

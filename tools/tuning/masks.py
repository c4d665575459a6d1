"""Masks of many parameters from one saliency map, and which of them are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.arrays import Bools, Floats
from models.saliency_mask import Fill, MaskParameters, rank_of_percentile, saliency_to_mask


def rescaled(saliency: Floats, percentile: float) -> Floats:
    """A map (S, S) scaled by its maximum (percentile 100) -> the map scaled by ``percentile``, clipped."""
    flat = np.sort(saliency, axis=None)
    high = flat[rank_of_percentile(flat.size, percentile)]
    if high <= 0:
        return np.zeros_like(saliency)
    scaled: Floats = np.minimum(saliency / high, np.float32(1))
    return scaled


def masks_of(saliency: Floats, combinations: Sequence[MaskParameters]) -> Bools:
    """(S, S) scaled by its maximum -> (C, S, S), one mask per combination."""
    scaled = {p: rescaled(saliency, p) for p in {one.percentile for one in combinations}}
    masks = np.zeros((len(combinations), *saliency.shape), np.bool_)
    known: dict[tuple[float, float, int, int, int], int] = {}
    for index, one in enumerate(combinations):  # the fill changes no mask
        key = (one.percentile, one.threshold, one.iterations, one.min_area, one.kernel)
        if key in known:
            masks[index] = masks[known[key]]
            continue
        known[key] = index
        masks[index] = saliency_to_mask(scaled[one.percentile], one)
    return masks


def mask_key(mask: Bools, fill: Fill) -> str:
    """Names a masked crop: equal masks with equal fill have equal keys; an empty mask has the key ""."""
    if not mask.any():
        return ""
    return hashlib.blake2b(np.packbits(mask).tobytes() + fill.encode(), digest_size=12).hexdigest()


def representatives(
    masks: Bools, fills: Sequence[Fill], tolerance: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which masks to classify, and for each mask the one whose answer it takes.

    Args:
        masks: (C, S, S).
        fills: (C,); masks of different fills never share, save empty ones.
        tolerance: masks that differ in at most so many pixels share an answer; 0: only equal ones.

    Returns:
        Indices (R,) of the masks to classify, and (C,) the index that stands for each.
    """
    keys = [mask_key(mask, fill) for mask, fill in zip(masks, fills, strict=True)]
    firsts: dict[str, int] = {}
    for index, key in enumerate(keys):
        firsts.setdefault(key, index)
    unique = np.array(list(firsts.values()), dtype=np.int64)
    stands = {int(index): int(index) for index in unique}
    if tolerance > 0:
        flat = masks[unique].reshape(len(unique), -1).astype(np.float32)
        area = flat.sum(axis=1)
        apart = area[:, None] + area[None] - 2 * flat @ flat.T
        filled = np.array([fills[index] if pixels else "" for index, pixels in zip(unique, area, strict=True)])
        other_fill = (filled[:, None] != filled[None]) & (area[:, None] > 0) & (area[None] > 0)
        apart[other_fill] = np.inf
        kept: list[int] = []
        for place in np.argsort(area, kind="stable"):
            nearest = kept[int(apart[place, kept].argmin())] if kept else -1
            if kept and apart[place, nearest] <= tolerance:
                stands[int(unique[place])] = int(unique[nearest])
            else:
                kept.append(int(place))
    answer = np.array([stands[firsts[key]] for key in keys], dtype=np.int64)
    return np.unique(answer), answer

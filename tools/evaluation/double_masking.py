"""PatchCleanser's double masking (Xiang et al. 2022) for a patch anywhere: certified, slow, and measured on a sample.

A set of square masks is laid so that every place of a patch of at most ``patch`` pixels lies wholly under one of them.
If all one-mask views name the same person, so be it; otherwise a dissenting view is believed if it holds under every
second mask, and the majority's name is told if none does. A face whose every two-mask view is right is right whatever
such a patch shows, given the crop (their theorem 1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.arrays import Bools, Bytes, Floats, Labels
from tools.evaluation.figures import DoubleMasking
from tools.evaluation.measures import share

#: (N, S, S, 3) uint8 RGB -> (N, K) probabilities.
Classify = Callable[[Bytes], Floats]
CHUNK = 64


def covering_masks(size: int, patch: int, each: int) -> Bools:
    """(each^2, S, S): masks of which at least one covers any square of ``patch`` pixels (their equation 4).

    Raises:
        ValueError: the patch does not fit, or fewer than one mask per side is asked for.
    """
    if not 1 <= patch <= size or each < 1:
        raise ValueError(f"a patch of {patch} pixels and {each} masks a side do not suit a crop of {size}")
    stride = math.ceil((size - patch + 1) / each)
    side = patch + stride - 1
    starts = [min(stride * index, size - side) for index in range(each)]
    masks = np.zeros((each * each, size, size), np.bool_)
    for number, (top, left) in enumerate(itertools.product(starts, starts)):
        masks[number, max(0, top) : top + side, max(0, left) : left + side] = True
    return masks


def double_masked(classify: Classify, crops: Bytes, masks: Bools, fill: tuple[int, int, int]) -> tuple[Labels, int]:
    """The names (N,) by double masking, and how many views were classified for them."""
    firsts = _names(classify, crops, masks, fill)
    names, asked = np.empty(len(crops), np.int64), firsts.size
    for index, first in enumerate(firsts):
        values, counts = np.unique(first, return_counts=True)
        names[index] = values[counts.argmax()]
        for dissenter in np.flatnonzero(first != names[index]):
            seconds = _names(classify, crops[index][None], masks | masks[dissenter], fill)[0]
            asked += len(seconds)
            if (seconds == first[dissenter]).all():
                names[index] = first[dissenter]
                break
    return names, asked


def certified(classify: Classify, crops: Bytes, labels: Labels, masks: Bools, fill: tuple[int, int, int]) -> Bools:
    """(N,) whether every view under two masks (or the same one twice) names the true person."""
    pairs = np.array(list(itertools.combinations_with_replacement(range(len(masks)), 2)))
    unions = masks[pairs[:, 0]] | masks[pairs[:, 1]]
    sure = np.ones(len(crops), np.bool_)
    for first in range(0, len(unions), CHUNK):
        left = np.flatnonzero(sure)
        if len(left) == 0:
            break
        named = _names(classify, crops[left], unions[first : first + CHUNK], fill)
        sure[left] = (named == labels[left, None]).all(axis=1)
    return sure


def figures(
    classify: Classify,
    fill: tuple[int, int, int],
    clean: Bytes,
    labels: Labels,
    attacked: Bytes,
    attacked_labels: Labels,
    targets: Labels,
    *,
    patch: int,
    each: int = 4,
) -> DoubleMasking:
    """Clean and attacked faces under double masking, and the certificate on the clean ones."""
    masks = covering_masks(clean.shape[1], patch, each)
    told, asked = double_masked(classify, clean, masks, fill)
    worn, more = double_masked(classify, attacked, masks, fill)
    return {
        "patch": patch,
        "masks": len(masks),
        "forwards_per_face": round((asked + more) / max(1, len(clean) + len(attacked)), 1),
        "clean_accuracy": share(told == labels),
        "certified": share(certified(classify, clean, labels, masks, fill)),
        "attacked_accuracy": share(worn == attacked_labels),
        "targeted_success": share(worn == targets),
    }


def _names(classify: Classify, crops: Bytes, masks: Bools, fill: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    """(N, M) who is named on each crop under each mask."""
    found = []
    for crop in crops:
        views = np.where(masks[..., None], np.array(fill, np.uint8), crop)
        parts = [classify(views[first : first + CHUNK]).argmax(axis=1) for first in range(0, len(views), CHUNK)]
        found.append(np.concatenate(parts))
    return np.stack(found)

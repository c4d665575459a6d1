"""What else might choose the pixels to hide: edges, texture, the plain gradient, chance.

Of each map as many pixels are taken as the guided saliency has above its threshold on the same crop, and they
go through the same closing and smallest area, so that a row differs from the method in one thing only. Guided
backpropagation is close to an edge detector (Nie et al. 2018, Adebayo et al. 2018): these rows show how much of
a result is really the saliency's.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import torch
from skimage.filters.rank import entropy
from skimage.morphology import disk
from torch import nn

from models.arrays import Bools, Bytes, Floats


def entropy_map(crops: Bytes) -> Floats:
    """(N, S, S, 3) -> (N, S, S): Shannon entropy (bits) of the grey levels within 3 pixels."""
    found = [entropy(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), disk(3)) for crop in crops]
    return np.stack(found).astype(np.float32)


def gradient_map(model: nn.Module, crops: Bytes) -> Floats:
    """(N, S, S, 3) -> (N, S, S): the plain gradient of the highest logit, absolute, summed over the channels."""
    pixels = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
    pixels.requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(model(pixels).amax(dim=1).sum(), pixels)
    found: Floats = gradient.abs().sum(dim=1).numpy()
    return found


def moved_masks(crops: Bytes, masks: Bools, seed: int) -> Bools:
    """Each mask (S, S) shifted by chance, wrapping around: equal area, equal shape, no knowledge.

    A crop's shift depends on the crop and the seed only, not on its neighbours in the batch.
    """
    moved = masks.copy()
    for index, crop in enumerate(crops):
        digest = hashlib.sha256(np.ascontiguousarray(crop).tobytes()).digest()[:8]
        random = np.random.default_rng([seed, int.from_bytes(digest, "little")])
        shift = random.integers(0, masks.shape[1], size=2)
        moved[index] = np.roll(masks[index], tuple(int(one) for one in shift), axis=(0, 1))
    return moved

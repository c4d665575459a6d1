"""A mask of dense edges in place of the saliency's, and an attacker who knows it.

Guided backpropagation is close to an edge detector (Nie et al. 2018, Adebayo et al. 2018), so the edges alone are
asked: as many pixels are taken as the saliency has above its threshold on the same crop, and they go through the same
closing and smallest area.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from models.arrays import Bytes, Floats
from tools.attacks.batch import to_bytes
from tools.attacks.defended import MaskDefence
from tools.attacks.guided_chain import GuidedChain, Pass


def sobel_map(crops: Bytes) -> Floats:
    """(N, S, S, 3) -> (N, S, S): length of the Sobel gradient, summed over the channels."""
    edges = []
    for crop in crops:
        values = crop.astype(np.float32)
        edges.append(np.hypot(cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1)).sum(axis=2))
    return np.stack(edges)


def strongest(values: Floats, counts: Sequence[int]) -> Floats:
    """(N, S, S) -> (N, S, S): 1 at the ``counts[i]`` highest pixels of map i, 0 elsewhere; never at a 0."""
    chosen = np.zeros_like(values)
    for one, marked, count in zip(values, chosen, counts, strict=True):
        flat = np.argsort(-one, axis=None, kind="stable")[:count]
        marked.flat[flat] = one.flat[flat] > 0
    return chosen


class EdgeMaskDefence(MaskDefence):
    """What there is to know of the mask of edges; the gradient passes by it as by the saliency's (BPDA)."""

    def saliency(self, chain: GuidedChain, found: Pass) -> torch.Tensor:
        guided = super().saliency(chain, found)
        pixels = found.inputs[0].detach() * (1 if chain.on_grey_levels else 255)
        counts = (guided >= self.parameters.threshold).sum(dim=(1, 2)).tolist()
        return torch.from_numpy(strongest(sobel_map(to_bytes(pixels)), counts)).to(guided)

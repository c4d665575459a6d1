"""A5, component splitting: every blob of dense saliency is kept below the defence's smallest area phi.

Only blobs that would survive are pushed, and only until they fall apart or shrink below phi: the attack keeps
as much saliency (and so as much influence) as the defence overlooks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch

from tools.attacks.batch import Batch
from tools.attacks.defended import MaskDefence, as_tensor, region_mean
from tools.attacks.guided_chain import GuidedChain, Pass
from tools.attacks.saliency_suppression import SaliencySuppression


class ComponentSplitting(SaliencySuppression):
    """The penalty is the mean excess over the threshold (minus ``slack``) of the dense accessory pixels in
    blobs that the defence would mask, the weakest ``share`` of them first."""

    def __init__(
        self,
        *,
        defence: MaskDefence,
        slack: float = 0.1,
        share: float = 0.5,
        weight: float = 5.0,
        **options: Any,
    ) -> None:
        super().__init__(defence=defence, weight=weight, **options)
        self.slack = slack
        self.share = share

    def penalised(self, chain: GuidedChain, found: Pass, batch: Batch, saliency: torch.Tensor) -> torch.Tensor:
        pushed = as_tensor(self.cut(saliency.cpu().numpy()), saliency) & batch.region[:, 0]
        excess = self.soft_saliency(chain, found) - self.defence.parameters.threshold + self.slack
        return region_mean(excess.clamp(min=0), pushed)

    def cut(self, saliency: np.ndarray) -> np.ndarray:
        """(n, S, S) -> (n, S, S) bool: of each blob that would be masked, the weakest dense pixels."""
        chosen = np.zeros(saliency.shape, np.bool_)
        mask = self.defence.mask(torch.from_numpy(saliency))[:, 0].numpy()
        for i in range(len(saliency)):
            dense = saliency[i] >= self.defence.parameters.threshold
            count, blobs = cv2.connectedComponents(mask[i].astype(np.uint8), connectivity=8)
            for blob in range(1, count):
                rows, columns = np.nonzero(dense & (blobs == blob))
                weakest = saliency[i, rows, columns].argsort(kind="stable")
                weakest = weakest[: max(1, round(self.share * len(rows)))]
                chosen[i, rows[weakest], columns[weakest]] = True
        return chosen

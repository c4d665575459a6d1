"""A4, decoy: a few pixels of the accessory shine so brightly that the per-image scale hides the rest.

The saliency is scaled by a percentile of the whole crop. A decoy larger than the share above the percentile
(1 % for the 99th) sets the scale; the rest of the accessory then lies below the threshold.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from tools.attacks.batch import Batch
from tools.attacks.defended import MaskDefence, region_mean
from tools.attacks.guided_chain import GuidedChain, Pass
from tools.attacks.saliency_suppression import SaliencySuppression


class Decoy(SaliencySuppression):
    """The penalty is log(mean saliency of the rest of the accessory / mean saliency of the decoy).

    ``margin`` is the decoy's size, as a multiple of the share of the crop above the defence's percentile
    (at most half of the accessory); its pixels are those of the accessory that are most salient at the start,
    gathered around the brightest one so that they make one blob.
    """

    def __init__(self, *, defence: MaskDefence, margin: float = 1.5, weight: float = 2.0, **options: Any) -> None:
        super().__init__(defence=defence, weight=weight, **options)
        self.margin = margin

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        texture = super().start(model, batch)
        chain = self.chain(model)
        with torch.no_grad():
            total = chain.guided(chain.forward(batch.worn(texture) / 255)).abs().sum(dim=1)
        batch.state["decoy"] = torch.stack(
            [self._decoy(one, where) for one, where in zip(total, batch.region[:, 0], strict=True)]
        )
        return texture

    def penalised(self, chain: GuidedChain, found: Pass, batch: Batch, saliency: torch.Tensor) -> torch.Tensor:
        total = chain.guided(found, sharpness=self.sharpness).abs().sum(dim=1)
        decoy = batch.state["decoy"]
        small = 1e-12 + 1e-6 * total.detach().flatten(1).mean(dim=1)
        rest = region_mean(total, batch.region[:, 0] & ~decoy)
        return torch.log(rest + small) - torch.log(region_mean(total, decoy) + small)

    def _decoy(self, total: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
        share = 1 - self.defence.parameters.percentile / 100
        wanted = max(1, math.ceil(self.margin * share * total.numel()))
        count = min(wanted, max(1, int(region.sum()) // 2))
        brightest = torch.where(region, total, -1.0).argmax()
        row, column = brightest // total.shape[1], brightest % total.shape[1]
        rows, columns = torch.nonzero(region, as_tuple=True)
        nearest = ((rows - row) ** 2 + (columns - column) ** 2).argsort(stable=True)[:count]
        decoy = torch.zeros_like(region)
        decoy[rows[nearest], columns[nearest]] = True
        return decoy

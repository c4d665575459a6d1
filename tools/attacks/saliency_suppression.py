"""A3, saliency suppression: the accessory's own saliency is part of the loss, so that nothing is masked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from tools.attacks.base import Objective
from tools.attacks.batch import Batch
from tools.attacks.defended import DefendedAttack, MaskDefence, region_mean
from tools.attacks.guided_chain import GuidedChain, Pass, scaled_saliency

Penalty = Literal["mean", "threshold"]


class SaliencySuppression(DefendedAttack):
    """Second order: the saliency is differentiated with respect to the pixels.

    Args:
        weight: of the penalty beside the class losses.
        penalty: ``mean`` is the accessory's mean saliency, ``threshold`` the mean of a soft threshold
            sigmoid((s - mu) / width), about the share of the accessory that counts as dense.
        width: of the soft threshold.
        sharpness: of the soft gates (``GuidedChain.guided``).
    """

    def __init__(
        self,
        *,
        defence: MaskDefence,
        weight: float = 5.0,
        penalty: Penalty = "mean",
        width: float = 0.1,
        sharpness: float = 4.0,
        **options: Any,
    ) -> None:
        super().__init__(defence=defence, **options)
        self.weight = weight
        self.penalty: Penalty = penalty
        self.width = width
        self.sharpness = sharpness

    def defended_objective(
        self, model: nn.Module, chain: GuidedChain, found: Pass, pixels: torch.Tensor, batch: Batch, step: int
    ) -> Objective:
        saliency = self.defence.saliency(chain, found)
        masked = self.defence.filled(pixels, self.defence.mask(saliency))
        plain = self.combined(model, found, masked, batch)
        return replace(plain, loss=plain.loss + self.weight * self.penalised(chain, found, batch, saliency))

    def penalised(self, chain: GuidedChain, found: Pass, batch: Batch, saliency: torch.Tensor) -> torch.Tensor:
        """(n,) the penalty, twice differentiable almost everywhere; ``saliency`` (n, S, S) is the defence's own."""
        soft = self.soft_saliency(chain, found)
        if self.penalty == "threshold":
            soft = torch.sigmoid((soft - self.defence.parameters.threshold) / self.width)
        return region_mean(soft, batch.region[:, 0])

    def soft_saliency(self, chain: GuidedChain, found: Pass) -> torch.Tensor:
        """(n, S, S), scaled as the defence scales, not clipped."""
        return scaled_saliency(chain.guided(found, sharpness=self.sharpness), self.defence.parameters.percentile)

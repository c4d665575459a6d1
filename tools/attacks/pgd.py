"""Masked sign steps with momentum (Dong et al. 2018, MI-FGSM): LaVAN patches, stickers, face masks, rectangles.

Any mask in the canonical pose will do; the loss may be the cross-entropy or the logit margin (LaVAN).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from tools.attacks.base import Attack, Objective
from tools.attacks.batch import Batch
from tools.attacks.eot import EOT
from tools.attacks.losses import ClassLoss, class_loss, fools, probability
from tools.attacks.start import Start, start_texture


class MaskedPGD(Attack):
    """Sign steps on the pixels under the mask, of any size within [0, 255].

    Args:
        step_levels: length of the first step in whole grey levels; it falls with a cosine to 1. Nothing bounds
            the change but [0, 255], so it may be long: on nine small nets with 40 crops each, 300 steps from
            48 levels fooled 332 of 360, from 24 levels 322, from 8 levels 317.
        decay: share of the accumulated direction that is kept.
        loss: cross-entropy or logit margin.
        start: how the texture begins.
    """

    def __init__(
        self,
        *,
        steps: int = 300,
        step_levels: int = 48,
        decay: float = 0.9,
        loss: ClassLoss = "cross_entropy",
        start: Start = "best_colour",
        target_confidence: float = 0.95,
        own_confidence: float = 0.01,
        eot: EOT | None = None,
        group: int = 24,
    ) -> None:
        super().__init__(
            steps=steps, target_confidence=target_confidence, own_confidence=own_confidence, eot=eot, group=group
        )
        if step_levels < 1:
            raise ValueError(f"a step of {step_levels} grey levels moves nothing")
        self.step_levels = step_levels
        self.decay = decay
        self.loss: ClassLoss = loss
        self.first: Start = start

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        batch.state["direction"] = torch.zeros_like(batch.crops)
        return start_texture(self.first, model, batch)

    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        logits = model(pixels / 255)
        return Objective(
            class_loss(logits, batch.goal, targeted=batch.targeted, kind=self.loss),
            probability(logits.detach(), batch.goal),
            fools(logits, batch.goal, targeted=batch.targeted),
        )

    def update(self, batch: Batch, gradient: torch.Tensor, step: int) -> torch.Tensor:
        size = gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
        direction = self.decay * batch.state["direction"] + gradient / torch.where(size > 0, size, 1)
        batch.state["direction"] = direction
        return (batch.texture - self.levels(step) * direction.sign()).clamp(0, 255)

    def levels(self, step: int) -> int:
        """Whole grey levels of the update after ``step`` updates."""
        remaining = 0.5 * (1 + math.cos(math.pi * step / max(self.steps, 1)))
        return max(1, round(self.step_levels * remaining))

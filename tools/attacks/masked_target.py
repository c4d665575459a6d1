"""A6, let it mask: the masked picture itself is to fall into the target class, wherever the mask then lies.

The attacker steers the mask: a straight-through estimate lets the loss feel how the pixels move it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tools.attacks.base import Objective
from tools.attacks.batch import Batch
from tools.attacks.defended import MaskDefence
from tools.attacks.guided_chain import GuidedChain, Pass
from tools.attacks.saliency_suppression import SaliencySuppression


class MaskedTarget(SaliencySuppression):
    """Forward the real mask, backward sigmoid((s - mu) / width) of the soft saliency."""

    def __init__(self, *, defence: MaskDefence, raw_weight: float = 0.0, width: float = 0.25, **options: Any) -> None:
        super().__init__(defence=defence, raw_weight=raw_weight, width=width, **options)

    def defended_objective(
        self, model: nn.Module, chain: GuidedChain, found: Pass, pixels: torch.Tensor, batch: Batch, step: int
    ) -> Objective:
        mask = self.real_mask(chain, found)
        masked = self.defence.filled(pixels, mask)
        soft = self.soft_mask(chain, found)
        # adds nothing forward; backward it says what masking one more pixel would change
        moved = (soft - soft.detach()) * (self.hidden(pixels, masked, mask) - pixels).detach()
        return self.combined(model, found, masked + moved, batch)

    def hidden(self, pixels: torch.Tensor, masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Grey levels (n, 3, S, S): what each pixel is, or would be, when masked.

        Inpainting a whole picture changes nothing, so pixels that are not masked count as filled with the mean there.
        """
        return torch.where(mask, masked, pixels.new_tensor(self.defence.fill_rgb).view(1, 3, 1, 1))

    def soft_mask(self, chain: GuidedChain, found: Pass) -> torch.Tensor:
        """(n, 1, S, S) in (0, 1)."""
        excess = self.soft_saliency(chain, found) - self.defence.parameters.threshold
        return torch.sigmoid(excess / self.width).unsqueeze(1)

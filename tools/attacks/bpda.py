"""A1, backward pass differentiable approximation (Athalye et al. 2018): through the real defence forward,
with the mask held constant backward."""

from __future__ import annotations

import torch
from torch import nn

from tools.attacks.base import Objective
from tools.attacks.batch import Batch
from tools.attacks.defended import DefendedAttack
from tools.attacks.guided_chain import GuidedChain, Pass


class BPDA(DefendedAttack):
    """The mask is computed anew at every step and counts as constant for the gradient."""

    def defended_objective(
        self, model: nn.Module, chain: GuidedChain, found: Pass, pixels: torch.Tensor, batch: Batch, step: int
    ) -> Objective:
        masked = self.defence.filled(pixels, self.real_mask(chain, found))
        return self.combined(model, found, masked, batch)

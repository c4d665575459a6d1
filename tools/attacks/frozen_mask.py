"""A2, frozen mask: the defence's mask is taken as given for a while, and the pixels outside it are optimised.

A mask that moves at every step makes the loss jump; holding it still lets the steps converge."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tools.attacks.base import Objective
from tools.attacks.batch import Batch
from tools.attacks.defended import DefendedAttack, MaskDefence
from tools.attacks.guided_chain import GuidedChain, Pass


class FrozenMask(DefendedAttack):
    """``refresh``: the mask is computed anew every so many steps; only then is success judged.

    With ``union`` a new mask is added to the old ones, so that the attack lives where nothing was ever masked.
    """

    def __init__(self, *, defence: MaskDefence, refresh: int = 10, union: bool = False, **options: Any) -> None:
        super().__init__(defence=defence, **options)
        if refresh < 1:
            raise ValueError(f"the mask must be refreshed every 1 or more steps, not {refresh}")
        self.refresh = refresh
        self.union = union

    def defended_objective(
        self, model: nn.Module, chain: GuidedChain, found: Pass, pixels: torch.Tensor, batch: Batch, step: int
    ) -> Objective:
        fresh = step % self.refresh == 0 or step == self.steps
        if not fresh:
            frozen = batch.state["mask"]
            return self.combined(model, found, self.defence.filled(pixels, frozen), batch, judged=False)
        mask = self.real_mask(chain, found)
        before = batch.state.get("mask")
        batch.state["mask"] = mask if before is None or not self.union else before | mask
        return self.combined(model, found, self.defence.filled(pixels, mask), batch)

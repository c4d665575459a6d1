"""A7, queries only: random rectangles, kept where they help (after Square Attack, Andriushchenko et al. 2020).

It sees nothing but the defended probabilities, so it must not beat an attack that sees the gradients; where
it does, the gradients are masked (Athalye et al. 2018). In evaluations it begins, like A1 to A6, where the oblivious
attack ends: that one took gradients of the undefended network, and knows nothing of the defence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from tools.attacks.base import Objective
from tools.attacks.batch import Batch
from tools.attacks.defended import DefendedAttack, MaskDefence
from tools.attacks.guided_chain import GuidedChain, Pass


class QueryOnly(DefendedAttack):
    """One query per step. ``largest`` is the first rectangle's side as a share of the crop; it shrinks."""

    def __init__(self, *, defence: MaskDefence, steps: int = 1000, largest: float = 0.4, **options: Any) -> None:
        super().__init__(defence=defence, steps=steps, **options)
        self.largest = largest

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        texture = super().start(model, batch)
        batch.state["kept"] = texture.clone()
        batch.state["kept_loss"] = torch.full((len(batch),), math.inf, dtype=texture.dtype, device=texture.device)
        return texture

    def scored(
        self, model: nn.Module, batch: Batch, step: int, *, with_gradient: bool
    ) -> tuple[Objective, torch.Tensor]:
        found, none = super().scored(model, batch, step, with_gradient=False)
        batch.state["loss"] = found.loss
        return found, none

    def defended_objective(
        self, model: nn.Module, chain: GuidedChain, found: Pass, pixels: torch.Tensor, batch: Batch, step: int
    ) -> Objective:
        masked = self.defence.filled(pixels, self.real_mask(chain, found))
        return self.combined(model, found, masked, batch)

    def update(self, batch: Batch, gradient: torch.Tensor, step: int) -> torch.Tensor:
        better = batch.state["loss"] < batch.state["kept_loss"]
        batch.state["kept_loss"] = torch.where(better, batch.state["loss"], batch.state["kept_loss"])
        batch.state["kept"] = torch.where(better.view(-1, 1, 1, 1), batch.texture, batch.state["kept"])
        texture = batch.state["kept"].clone()
        size = texture.shape[-1]
        side = max(1, round(self.largest * size * (1 - step / max(self.steps, 1)) ** 2))
        for one, region, generator in zip(texture, batch.region[:, 0], batch.generators, strict=True):
            rows, columns = torch.nonzero(region, as_tuple=True)
            place = int(torch.randint(len(rows), (), generator=generator))
            top = max(0, int(rows[place]) - side // 2)
            left = max(0, int(columns[place]) - side // 2)
            colour = torch.randint(0, 256, (3, 1, 1), generator=generator).to(one)
            one[:, top : top + side, left : left + side] = colour
        return texture

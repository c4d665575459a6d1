"""The whole defence as an attacker sees it: the recogniser's own forward pass, with gradients where they exist.

Adaptive attacks (Athalye et al. 2018, Tramer et al. 2020) know the defence: its model, its parameters, its
fill. Forward they run what ``Recogniser.defend`` runs (the mask comes from ``models.saliency_mask``).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from models.saliency_mask import MaskParameters, apply_mask, saliency_to_mask
from tools.attacks.base import Objective
from tools.attacks.batch import Batch, to_bytes, to_levels
from tools.attacks.guided_chain import GuidedChain, Pass, scaled_saliency
from tools.attacks.losses import ClassLoss, class_loss, fools, probability
from tools.attacks.pgd import MaskedPGD
from tools.attacks.remembered import Remembered
from tools.attacks.start import Start


@dataclass(frozen=True)
class MaskDefence:
    """What there is to know of the defence: its parameters and the fill colour (RGB grey levels)."""

    parameters: MaskParameters
    fill_rgb: tuple[int, int, int]

    def saliency(self, chain: GuidedChain, found: Pass) -> torch.Tensor:
        """(N, S, S) in [0, 1], constant: exactly what the recogniser thresholds."""
        with torch.no_grad():
            return scaled_saliency(chain.guided(found), self.parameters.percentile).clamp(0, 1)

    def mask(self, saliency: torch.Tensor) -> torch.Tensor:
        """(N, S, S) in [0, 1] -> (N, 1, S, S) bool."""
        found = saliency_to_mask(saliency.detach().cpu().numpy(), self.parameters)
        return torch.from_numpy(found).unsqueeze(1).to(saliency.device)

    def filled(self, pixels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Grey levels (N, 3, S, S) with the masked pixels replaced; the mask counts as constant (BPDA)."""
        if self.parameters.fill == "mean":
            fill = pixels.new_tensor(self.fill_rgb).view(1, 3, 1, 1)
        else:
            painted = apply_mask(to_bytes(pixels), mask[:, 0].cpu().numpy(), self.fill_rgb, self.parameters.fill)
            fill = torch.from_numpy(painted).permute(0, 3, 1, 2).to(pixels)
        return torch.where(mask, fill, pixels).contiguous(memory_format=torch.channels_last)


class DefendedAttack(MaskedPGD):
    """Sign steps against the defended recogniser; subclasses say what is descended.

    The confidence that counts is the defended one; with ``raw_weight`` above 0 the undefended one has to
    follow (impersonation: the smaller of both counts), because the policy looks at both.

    Args:
        defence: what the recogniser does (``MaskDefence(recogniser.mask_parameters, recogniser.fill_rgb)``).
        raw_weight: weight of the undefended loss.
        warm_start: an attack (usually the oblivious one) whose result is where this one begins; since the
            best picture is kept, the result is then never worse than that attack's. Kept for the next one.
    """

    def __init__(
        self,
        *,
        defence: MaskDefence,
        raw_weight: float = 1.0,
        warm_start: Remembered | None = None,
        steps: int = 300,
        step_levels: int = 48,
        decay: float = 0.9,
        loss: ClassLoss = "cross_entropy",
        start: Start = "best_colour",
        target_confidence: float = 0.95,
        own_confidence: float = 0.01,
        group: int = 16,
    ) -> None:
        super().__init__(
            steps=steps,
            step_levels=step_levels,
            decay=decay,
            loss=loss,
            start=start,
            target_confidence=target_confidence,
            own_confidence=own_confidence,
            group=group,
        )
        self.defence = defence
        self.raw_weight = raw_weight
        self.warm_start = warm_start
        self._chain: tuple[nn.Module, GuidedChain] | None = None

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        texture = super().start(model, batch)
        if self.warm_start is None:
            return texture
        targets = None if batch.targets is None else batch.targets.cpu().numpy()
        region = batch.region[:, 0].cpu().numpy()
        found = self.warm_start.adversarial(
            model, to_bytes(batch.crops), batch.labels.cpu().numpy(), targets, mask=region, seed=batch.seeds
        )
        return to_levels(found, model)

    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        chain = self.chain(model)
        found = chain.forward(pixels / 255)
        return self.defended_objective(model, chain, found, pixels, batch, step)

    @abstractmethod
    def defended_objective(
        self, model: nn.Module, chain: GuidedChain, found: Pass, pixels: torch.Tensor, batch: Batch, step: int
    ) -> Objective:
        """As ``objective``, with the undefended pass already made."""

    def real_mask(self, chain: GuidedChain, found: Pass) -> torch.Tensor:
        """(n, 1, S, S) bool, what the defence would mask of the pass's pictures."""
        return self.defence.mask(self.defence.saliency(chain, found))

    def combined(
        self, model: nn.Module, found: Pass, masked: torch.Tensor, batch: Batch, *, judged: bool = True
    ) -> Objective:
        """The loss on masked (n, 3, S, S) and raw picture, and the confidence that counts."""
        logits = model(masked / 255)
        loss = class_loss(logits, batch.goal, targeted=batch.targeted, kind=self.loss)
        confidence = probability(logits.detach(), batch.goal)
        if self.raw_weight:
            raw = class_loss(found.logits, batch.goal, targeted=batch.targeted, kind=self.loss)
            loss = loss + self.raw_weight * raw
            undefended = probability(found.logits.detach(), batch.goal)
            confidence = torch.minimum(confidence, undefended) if batch.targeted else confidence
        fooled = fools(logits, batch.goal, targeted=batch.targeted)
        if not judged:
            confidence, fooled = torch.full_like(confidence, math.nan), torch.zeros_like(fooled)
        return Objective(loss, confidence, fooled)

    def chain(self, model: nn.Module) -> GuidedChain:
        if self._chain is None or self._chain[0] is not model:
            self._chain = (model, GuidedChain(model))
        return self._chain[1]


def region_mean(values: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """Mean of (n, S, S) over the region (n, S, S) bool -> (n,), 0 where it is empty."""
    count = region.flatten(1).sum(dim=1).clamp(min=1)
    return torch.where(region, values, torch.zeros_like(values)).flatten(1).sum(dim=1) / count


def as_tensor(mask: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask)).to(like.device)

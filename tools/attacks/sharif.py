"""Sharif, Bhagavatula, Bauer & Reiter 2016, "Accessorize to a Crime": adversarial eyeglass frames.

Dodging and impersonation, for one image or jointly for up to 30, with their update rule: masked gradient
over its largest absolute value (not its sign), times 20 grey levels over the number of images, momentum 0.4,
pixel updates that would leave [0, 255] dropped (not clipped), whole grey levels by rounding down.
"""

from __future__ import annotations

import torch
from torch import nn

from tools.attacks.base import Attack, Objective
from tools.attacks.batch import Batch
from tools.attacks.eot import EOT
from tools.attacks.losses import class_loss, fools, probability, total_variation
from tools.attacks.printability import non_printability
from tools.attacks.start import best_colour

MAX_JOINT = 30


class Sharif(Attack):
    """The attack as its authors run it, save that the stop test does not depend on verbosity and comes
    before the update, so that what is returned is what was judged.

    Args:
        joint: one texture for all images (at most 30), otherwise one texture each.
        step_levels: length of a step in grey levels.
        momentum: share of the last update that is kept.
        total_variation: weight of smoothness, divided by the number of images (physical mode: 3).
        printability: weight of the non-printability score (physical mode: 5).
        hold: how many steps running the threshold must be passed (1 as published; more with EOT, where
            one lucky view would end the attack).

    Example:
        >>> Sharif().run(model, crops, labels, targets, mask=frame_mask("classic", 112)).adversarial
        Nx112x112x3
    """

    def __init__(
        self,
        *,
        steps: int = 300,
        step_levels: float = 20.0,
        momentum: float = 0.4,
        joint: bool = False,
        total_variation: float = 0.0,
        printability: float = 0.0,
        hold: int = 1,
        target_confidence: float = 0.95,
        own_confidence: float = 0.01,
        eot: EOT | None = None,
        group: int = 24,
    ) -> None:
        super().__init__(
            steps=steps, target_confidence=target_confidence, own_confidence=own_confidence, eot=eot, group=group
        )
        self.joint = joint
        self.step_levels = step_levels
        self.momentum = momentum
        self.total_variation = total_variation
        self.printability = printability
        self.hold = hold

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if self.joint and len(batch) > MAX_JOINT:
            raise ValueError(f"a joint texture is made for at most {MAX_JOINT} images, got {len(batch)}")
        batch.state["velocity"] = torch.zeros_like(batch.crops)
        batch.state["held"] = torch.zeros(len(batch), dtype=torch.int64)
        return best_colour(model, batch, joint=self.joint)

    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        logits = model(pixels / 255)
        return Objective(
            class_loss(logits, batch.goal, targeted=batch.targeted),
            probability(logits.detach(), batch.goal),
            fools(logits, batch.goal, targeted=batch.targeted),
        )

    def finished(self, confidence: torch.Tensor, batch: Batch) -> torch.Tensor:
        passed = super().finished(confidence, batch)
        held = torch.where(passed.cpu(), batch.state["held"] + 1, 0)
        batch.state["held"] = held
        return (held >= self.hold).to(passed.device)

    def update(self, batch: Batch, gradient: torch.Tensor, step: int) -> torch.Tensor:
        share = len(batch) if self.joint else 1
        step_of_image = -self.step_levels / share * _by_largest(gradient * batch.region)
        if self.total_variation:
            step_of_image -= self.total_variation / share * _by_largest(_roughness_slope(batch))
        velocity = self.momentum * batch.state["velocity"] + step_of_image
        batch.state["velocity"] = velocity
        texture = batch.texture
        if self.printability:
            texture = _added(texture, -self.printability * _by_largest(_unprintable_slope(batch)))
        if self.joint:
            shared = texture[:1]
            for one in velocity:  # one after the other, as the published code does: each sees the range left
                shared = _added(shared, one[None])
            texture = shared.expand_as(batch.texture)
        else:
            texture = _added(texture, velocity)
        return texture.floor().contiguous()


def _by_largest(gradient: torch.Tensor) -> torch.Tensor:
    largest = gradient.abs().amax(dim=(1, 2, 3), keepdim=True)
    return gradient / torch.where(largest > 0, largest, torch.ones_like(largest))


def _added(texture: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    moved = texture + change
    return torch.where((moved >= 0) & (moved <= 255), moved, texture)


def _roughness_slope(batch: Batch) -> torch.Tensor:
    with torch.enable_grad():
        pixels = batch.worn(batch.texture).detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(total_variation(pixels).sum(), pixels)
    return slope * batch.region


def _unprintable_slope(batch: Batch) -> torch.Tensor:
    with torch.enable_grad():
        texture = batch.texture.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(non_printability(texture, batch.region).sum(), texture)
    return slope

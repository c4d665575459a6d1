"""Losses of the attacks, one number per image, each to be descended."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

ClassLoss = Literal["cross_entropy", "margin"]


def class_loss(
    logits: torch.Tensor, goal: torch.Tensor, *, targeted: bool, kind: ClassLoss = "cross_entropy"
) -> torch.Tensor:
    """(N, K) logits -> (N,): low where the target is named, or, when dodging, where the own class is not.

    ``cross_entropy`` is Sharif et al.'s softmax loss, ``margin`` the difference between the best other
    logit and the goal's (Carlini & Wagner 2017; LaVAN uses it), which does not saturate.
    """
    if kind == "cross_entropy":
        loss = F.cross_entropy(logits, goal, reduction="none")
    else:
        chosen = logits.gather(1, goal.view(-1, 1)).squeeze(1)
        others = logits.scatter(1, goal.view(-1, 1), -torch.inf).amax(dim=1)
        loss = others - chosen
    return loss if targeted else -loss


def probability(logits: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """(N, K) logits -> (N,) softmax probability of ``goal``."""
    return logits.softmax(dim=1).gather(1, goal.view(-1, 1)).squeeze(1)


def fools(logits: torch.Tensor, goal: torch.Tensor, *, targeted: bool) -> torch.Tensor:
    """(N, K) logits -> (N,) bool: the target is named, or, when dodging, somebody else than ``goal`` is."""
    named = logits.argmax(dim=1) == goal
    return named if targeted else ~named


def total_variation(pixels: torch.Tensor) -> torch.Tensor:
    """(N, 3, S, S) -> (N,): the sum over pixels and channels of sqrt(dx^2 + dy^2) (Sharif et al. 2016,
    section 4.2; differences to the right and below, zero at the border).
    """
    right = F.pad(pixels[..., :, 1:] - pixels[..., :, :-1], (0, 1, 0, 0))
    below = F.pad(pixels[..., 1:, :] - pixels[..., :-1, :], (0, 0, 0, 1))
    # the small number keeps the slope of a flat region finite (zero) instead of undefined
    return (right.square() + below.square() + 1e-10).sqrt().sum(dim=(1, 2, 3))

"""The attack on the policy over zone views: what it optimises is the policy's own decision.

There are two ways to ``Known(target)``: the raw view gives the target ``threshold``, or it gives nobody that much and
the first zone's view gives the target ``zone_threshold``; either way every zone's view has to confirm the target.
At every step the nearer way is taken, and on it the view that is farthest from what it has to give is pushed, and not
a sum of logits that one view could buy alone. A view whose zone holds every pixel that may change has no gradient (a
test shows that it is exactly zero): it is looked at once, without a backward pass, and a picture that fails there is
beyond this attacker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.arrays import Bools, Bytes
from models.policy import Policy
from tools.attacks.base import AttackResult, Objective, Watch
from tools.attacks.batch import Batch, frozen, gather, seeds_of
from tools.attacks.pgd import MaskedPGD

#: A picture is finished once every view gives what it has to as if its logit were lower by this: rounding, bfloat16
#: and another engine move logits, and log probabilities by (1 - p) of that.
SPARE = 0.3


class ZonePolicy(MaskedPGD):
    """Impersonation of somebody under zone views; its confidence is the share of what it must give that the smallest
    view gives which the attack can change, and the policy is fooled from 1 on. Where the views that it cannot change
    rule the target out, theirs counts too.

    Args:
        zones: (S, S) bool each, the pixels that a zone's view has filled with ``fill_rgb`` (grey levels).
        policy: ``threshold`` for the raw view, all else for the zones'.
        restarts: runs from different textures (the best of five colours first, then noise); each picture keeps
            its best.

    Attributes:
        view_models: for each zone's view a network of its own, as a gallery has; None: that of the raw view.
        people: how many of the logits are people's; None: all. A gallery has nobody's behind them.
    """

    def __init__(
        self,
        *,
        zones: Sequence[Bools],
        fill_rgb: tuple[int, int, int],
        policy: Policy,
        restarts: int = 3,
        group: int = 16,
        **options: Any,
    ) -> None:
        super().__init__(group=group, **options)
        if restarts < 1:
            raise ValueError(f"{restarts} restarts attack nothing; give at least 1")
        self.zones = [torch.from_numpy(np.array(zone)) for zone in zones]
        self.fill_rgb = fill_rgb
        self.policy = policy
        self.restarts = restarts
        self.view_models: Sequence[nn.Module] | None = None
        self.people: int | None = None

    def look_through(self, views: Sequence[nn.Module], people: int) -> None:
        self.view_models, self.people = views, people

    def run(
        self,
        model: nn.Module,
        crops: Bytes,
        labels: Sequence[int] | npt.NDArray[np.integer],
        targets: Sequence[int] | npt.NDArray[np.integer] | None = None,
        *,
        mask: npt.NDArray[np.generic],
        seed: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> AttackResult:
        """As ``Attack.run``; ``reached`` is False for pictures whose fixed views rule the target out.

        Raises:
            ValueError: also without targets: whoever dodges is not after a name.
        """
        if targets is None:
            raise ValueError("the attack on the policy over zones impersonates; give targets")
        given, goals = np.asarray(labels), np.asarray(targets)
        seeds = seeds_of(seed, len(crops))
        first, steps = self.first, self.steps
        try:
            self.steps = 0
            start = super().run(model, crops, given, goals, mask=mask, seed=seeds)
            self.steps = steps
            best = _padded(start, steps)
            open_to_it = self._open(model, crops, goals, mask)
            for restart in range(self.restarts):
                left = np.flatnonzero(open_to_it & ~best.reached)
                if len(left) == 0:
                    break
                self.first = first if restart == 0 else "random"
                where = mask if mask.ndim == 2 else mask[left]
                own = [seeds[place] + 7919 * restart for place in left]
                again = super().run(model, crops[left], given[left], goals[left], mask=where, seed=own, watch=watch)
                keep_better(best, left, again)
        finally:
            self.first, self.steps = first, steps
        return best

    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        if "fixed" not in batch.state:
            batch.state["fixed"] = self._fixed(model, batch)
        moving = self._moving(batch.region)
        given = self._looked_at(model, pixels, moving, raw=True).log_softmax(dim=2)[..., : self.people]
        fixed = batch.state["fixed"].T
        left = fixed >= 0  # the ways that the fixed views leave
        margins, spared = (self._margins(given, batch.goal, moving, spare) for spare in (0.0, SPARE))
        nearer = torch.where(left | ~left.any(dim=0), spared, -torch.inf).argmax(dim=0, keepdim=True)
        smallest = torch.where(left, margins, torch.minimum(margins, fixed)).detach().amax(dim=0)
        batch.state["sure"] = torch.where(left, spared, -torch.inf).detach().amax(dim=0) >= 0
        return Objective(-spared.gather(0, nearer)[0], smallest.exp(), smallest >= 0)

    def finished(self, confidence: torch.Tensor, batch: Batch) -> torch.Tensor:
        nobody = torch.zeros_like(confidence, dtype=torch.bool)  # other random views may ask for more
        return batch.state["sure"] if self.eot is None else nobody

    def _moving(self, region: torch.Tensor) -> list[int]:
        """The zones whose views something in the ``region`` can change; all, where crops move at random."""
        everyone = range(len(self.zones))
        return [number for number in everyone if self.eot is not None or _reaches_beyond(region, self.zones[number])]

    def _margins(self, given: torch.Tensor, goal: torch.Tensor, moving: Sequence[int], spare: float) -> torch.Tensor:
        """(2, n): by how much (in logs) the views ``given`` (1 + V, n, K), raw and moving, pass what a way asks."""
        wanted = torch.stack([_of(given[0], goal), -given[0].amax(dim=1)])  # the target, or nobody
        threshold = self.policy.threshold
        least = torch.log(wanted.new_tensor([threshold, 1 / threshold])) + spare * (1 - threshold)
        return torch.minimum(wanted - least.view(2, 1), self._ways(given[1:], goal, moving, spare))

    def _open(self, model: nn.Module, crops: Bytes, targets: npt.NDArray[Any], mask: npt.NDArray[np.generic]) -> Bools:
        """(N,) whether the views that cannot change leave the target possible."""
        whole = gather(model, crops, targets, targets, mask, 0)
        groups = torch.split(torch.arange(len(whole)), self.group)
        with frozen(model):
            fixed = torch.cat([self._fixed(model, whole.take(group)) for group in groups])
        return np.asarray(fixed.amax(dim=1).cpu().numpy() >= 0)

    def _fixed(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """(n, 2) log of the smallest share, on either way, that the views give which no pixel of the region reaches."""
        still = sorted(set(range(len(self.zones))) - set(self._moving(batch.region)))
        if not still:
            return batch.crops.new_full((len(batch), 2), torch.inf)
        with torch.no_grad():
            logits = self._looked_at(model, batch.crops, still, raw=False)
            return self._ways(logits.log_softmax(dim=2)[..., : self.people], batch.goal, still, 0.0).T

    def _ways(self, given: torch.Tensor, goal: torch.Tensor, numbers: Sequence[int], spare: float) -> torch.Tensor:
        """(2, n): what the zones ``numbers``, whose log probabilities are ``given`` (V, n, K), leave of either way."""
        ways = given.new_full((2, len(goal)), torch.inf)
        for number, view in zip(numbers, given, strict=True):
            confirm = self.policy.least_of(number)
            told = confirm if number else max(self.policy.zone_threshold, confirm)
            asked = view.new_tensor([confirm, told])
            least = torch.log(asked) + spare * (1 - asked)
            ways = torch.minimum(ways, _of(view, goal) - least.view(2, 1))
            if lead := self.policy.lead_of(number):
                others = view.scatter(1, goal.view(-1, 1), -torch.inf).amax(dim=1)
                ways = torch.minimum(ways, _of(view, goal) - others - math.log(lead) - spare)
        return ways

    def _looked_at(self, model: nn.Module, pixels: torch.Tensor, numbers: Sequence[int], *, raw: bool) -> torch.Tensor:
        """(V, n, K) logits as the recogniser has them: raw, then the views of these zones, in their order."""
        hidden = [self._hidden(pixels, self.zones[number]) for number in numbers]
        if self.view_models is not None:
            models = [*([model] if raw else []), *(self.view_models[number] for number in numbers)]
            shown = [*([pixels] if raw else []), *hidden]
            return torch.stack([one(each / 255) for one, each in zip(models, shown, strict=True)])
        seen = [*([pixels] if raw else []), *hidden]
        logits: torch.Tensor = model(torch.cat(seen).contiguous(memory_format=torch.channels_last) / 255)
        return logits.view(len(seen), len(pixels), -1)

    def _hidden(self, pixels: torch.Tensor, zone: torch.Tensor) -> torch.Tensor:
        fill = pixels.new_tensor(self.fill_rgb).view(1, 3, 1, 1)
        return torch.where(zone.to(pixels.device), fill, pixels)


def _reaches_beyond(region: torch.Tensor, zone: torch.Tensor) -> bool:
    """Whether any picture of (n, 1, S, S) may change a pixel outside the zone (S, S)."""
    return bool((region & ~zone.to(region.device)).any())


def _of(given: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """(n, K) -> (n,): each picture's value for its goal."""
    return given.gather(1, goal.view(-1, 1)).squeeze(1)


def _padded(result: AttackResult, steps: int) -> AttackResult:
    """The start as if it had been judged only; arrays of its own, to be written into."""
    missing = np.full((steps, len(result.reached)), np.nan, np.float32)
    history = replace(
        result.history,
        loss=np.concatenate([result.history.loss, missing]),
        confidence=np.concatenate([result.history.confidence, missing]),
    )
    return replace(result, history=history)


def keep_better(best: AttackResult, places: npt.NDArray[np.int64], again: AttackResult) -> Bools:
    """Write into ``best`` what came out better ``again``, of the pictures at these ``places``; tells which."""
    better = again.reached | (again.confidences > best.confidences[places])
    chosen = places[better]
    for name in ("adversarial", "textures", "iterations", "confidences", "reached", "first_fooled"):
        getattr(best, name)[chosen] = getattr(again, name)[better]
    best.history.loss[:, chosen] = again.history.loss[:, better]
    best.history.confidence[:, chosen] = again.history.confidence[:, better]
    return better

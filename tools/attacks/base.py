"""What every attack shares: the batch of attacked crops, the loop, the bookkeeping, the result.

Inside an attack pictures are (N, 3, S, S) float RGB in grey levels 0 to 255, and hold whole levels at every
step: what is scored is exactly the picture that will be written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.arrays import Bools, Bytes, Floats
from tools.attacks.batch import Batch, frozen, gather, to_bytes
from tools.attacks.eot import EOT

Watch = Callable[[int, int], None]  # (steps done, images still attacked)


@dataclass(frozen=True)
class History:
    """Curves over the steps 0 (the start colour) to T; NaN once an image is finished.

    ``confidence`` is the probability of the target (impersonation) or of the own class (dodging) as the
    attack judged it at that step: with EOT a mean over the random views, under a defence the defended one.
    """

    loss: Floats  # (T + 1, N)
    confidence: Floats  # (T + 1, N)


@dataclass(frozen=True)
class AttackResult:
    """N attacked crops.

    ``iterations`` counts the updates that an image took until it was finished (0: the start colour was
    enough); ``confidences`` is the probability of the target (impersonation) or of the own class (dodging)
    on ``adversarial``; ``reached`` says whether it passed the attack's threshold, ``first_fooled`` after how
    many updates the recogniser was first fooled, however weakly (-1: never where the attack judged).
    ``regions`` is where each crop was changed, where the attack chose the place; None: where it was told.
    """

    adversarial: Bytes  # (N, S, S, 3) RGB
    textures: Bytes  # (N, S, S, 3) RGB, 0 outside the mask
    iterations: npt.NDArray[np.int64]  # (N,)
    confidences: Floats  # (N,)
    reached: npt.NDArray[np.bool_]  # (N,)
    first_fooled: npt.NDArray[np.int64]  # (N,)
    history: History
    regions: Bools | None = None  # (N, S, S)


@dataclass(frozen=True)
class Objective:
    """``loss`` (n,) is descended; ``confidence`` (n,) is judged (NaN: not known at this step); ``fooled`` (n,) bool
    says whether the target is the one that is named, or, when dodging, somebody else than the own class.
    """

    loss: torch.Tensor
    confidence: torch.Tensor
    fooled: torch.Tensor


class Attack(ABC):
    """Changes the pixels under a mask until the recogniser names somebody else.

    Args:
        steps: most updates per image.
        target_confidence: an impersonation is finished from this probability of the target on.
        own_confidence: a dodge is finished below this probability of the own class.
        eot: random movements and light at every step, None for the crop as it is.
        group: how many images are attacked at once (bounds the memory; ``joint`` attacks take all).
    """

    joint = False

    def __init__(
        self,
        *,
        steps: int = 300,
        target_confidence: float = 0.95,
        own_confidence: float = 0.01,
        eot: EOT | None = None,
        group: int = 24,
    ) -> None:
        if steps < 0 or group < 1:
            raise ValueError(f"steps {steps} must not be negative and group {group} not below 1")
        self.steps = steps
        self.target_confidence = target_confidence
        self.own_confidence = own_confidence
        self.eot = eot
        self.group = group

    @abstractmethod
    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """The first texture (n, 3, S, S), whole grey levels."""

    @abstractmethod
    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        """What is descended and judged for ``pixels`` (n, 3, S, S), differentiable."""

    @abstractmethod
    def update(self, batch: Batch, gradient: torch.Tensor, step: int) -> torch.Tensor:
        """The next texture (n, 3, S, S), whole grey levels; ``gradient`` is that of the loss."""

    def look_through(self, views: Sequence[nn.Module], people: int) -> None:  # noqa: B027 - few have a use for it
        """Told where each zone's view has a network of its own, and how many of the logits are people's.

        Only what is made against the views makes use of it.
        """

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
        """Attack N crops.

        Args:
            model: (N, 3, S, S) float RGB in [0, 1] -> logits (``recogniser.torch_model()``).
            crops: (N, S, S, 3) uint8 RGB.
            labels: (N,) the classes that the crops show; for strangers, when impersonating, any.
            targets: (N,) the classes to be taken for; None dodges.
            mask: (S, S) or (N, S, S) bool, or alpha in [0, 1] (from 0.5 on a pixel may change).
            seed: one for the run (image i then uses its own stream), or one per image; a result does not
                depend on which other images are in the run.
            watch: called after every step.

        Raises:
            ValueError: shapes that do not fit, or a mask without a pixel.
        """
        whole = gather(model, crops, labels, targets, mask, seed)
        size = len(whole) if self.joint else self.group
        with frozen(model):
            parts = [
                self._attack(model, whole.take(torch.arange(first, min(first + size, len(whole)))), watch)
                for first in range(0, len(whole), size)
            ]
        return _concatenated(parts, self.steps)

    def finished(self, confidence: torch.Tensor, batch: Batch) -> torch.Tensor:
        """(n,) bool; a ``joint`` attack looks at the mean over the images (Sharif et al.'s stop rule)."""
        judged = confidence.mean().expand(len(batch)) if self.joint else confidence
        return judged > self.target_confidence if batch.targeted else judged < self.own_confidence

    def judge(self, model: nn.Module, pixels: torch.Tensor, batch: Batch) -> torch.Tensor:
        """(n,) the confidence on pictures as they are; called once at the end where EOT blurred the view."""
        return self.objective(model, pixels, batch, 0).confidence

    def _attack(self, model: nn.Module, batch: Batch, watch: Watch | None) -> AttackResult:
        batch.texture = self.start(model, batch)
        book = _Book(batch, self.steps)
        everyone = batch
        for step in range(self.steps + 1):
            last = step == self.steps
            found, gradient = self.scored(model, batch, step, with_gradient=not last)
            done = self.finished(found.confidence, batch)
            book.note(step, batch, found, done, keep_best=self.eot is None and not self.joint)
            if watch is not None:
                watch(step, int((~done).sum()))
            if last or bool(done.all()):
                break
            if bool(done.any()):
                keep = torch.nonzero(~done).flatten()
                batch, gradient = batch.take(keep), gradient[keep]
            with torch.no_grad():
                batch.texture = self.update(batch, gradient, step)
        if self.eot is not None:
            with torch.no_grad():
                book.confidences = self.judge(model, everyone.worn(book.textures), everyone)
        return book.result(everyone)

    def scored(
        self, model: nn.Module, batch: Batch, step: int, *, with_gradient: bool
    ) -> tuple[Objective, torch.Tensor]:
        """The objective of the batch's textures, and the gradient of its loss (zeros where none is asked for)."""
        leaf = batch.texture.detach().clone().requires_grad_(with_gradient)
        with torch.set_grad_enabled(with_gradient):
            if self.eot is None:
                found = self.objective(model, batch.worn(leaf), batch, step)
            else:
                found = self._expected(model, leaf, batch, step)
        gradient = torch.zeros_like(leaf)
        if with_gradient:
            (gradient,) = torch.autograd.grad(found.loss.sum(), leaf)
        return Objective(found.loss.detach(), found.confidence.detach(), found.fooled), gradient

    def _expected(self, model: nn.Module, leaf: torch.Tensor, batch: Batch, step: int) -> Objective:
        assert self.eot is not None
        samples = self.eot.samples
        many = batch.take(torch.arange(len(batch)).repeat_interleave(samples))
        pixels = self.eot.view(leaf.repeat_interleave(samples, 0), many.region, many.crops, many.generators)
        found = self.objective(model, pixels, many, step)
        loss, confidence = found.loss.view(-1, samples).mean(1), found.confidence.view(-1, samples).mean(1)
        return Objective(loss, confidence, found.fooled.view(-1, samples).float().mean(1) > 0.5)


class _Book:
    """Keeps each image's best (or last) texture and the curves. A texture that fools is better than one that does not;
    among equals the confidence decides."""

    def __init__(self, batch: Batch, steps: int) -> None:
        count = len(batch)
        self._places = {int(index): place for place, index in enumerate(batch.index)}
        self.textures = batch.texture.detach().clone()
        self.confidences = batch.crops.new_full((count,), torch.nan)
        self.iterations = torch.full((count,), steps, dtype=torch.int64)
        self.reached = torch.zeros(count, dtype=torch.bool)
        self.first_fooled = torch.full((count,), -1, dtype=torch.int64)
        self._kept_fools = torch.zeros(count, dtype=torch.bool)
        self._loss = np.full((steps + 1, count), np.nan, np.float32)
        self._confidence = np.full((steps + 1, count), np.nan, np.float32)

    def note(self, step: int, batch: Batch, found: Objective, done: torch.Tensor, *, keep_best: bool) -> None:
        places = torch.tensor([self._places[int(index)] for index in batch.index])
        self._loss[step, places.numpy()] = found.loss.cpu().numpy()
        self._confidence[step, places.numpy()] = found.confidence.cpu().numpy()
        known, kept_fools = self.confidences[places], self._kept_fools[places]
        fools = found.fooled.cpu()
        nearer = (found.confidence > known if batch.targeted else found.confidence < known).cpu()
        first = (known.isnan() & ~found.confidence.isnan()).cpu()
        done = done.cpu()
        better = done | first | (fools & ~kept_fools) | (nearer & (fools == kept_fools))
        if not keep_best:
            better = torch.ones_like(done)
        self._kept_fools[places[better]] = fools[better]
        self.textures[places[better]] = batch.texture[better]
        self.confidences[places[better]] = found.confidence[better]
        self.iterations[places[done]] = step
        self.reached[places[done]] = True
        fooled = places[fools]
        self.first_fooled[fooled[self.first_fooled[fooled] < 0]] = step

    def result(self, batch: Batch) -> AttackResult:
        return AttackResult(
            adversarial=to_bytes(batch.worn(self.textures)),
            textures=to_bytes(torch.where(batch.region, self.textures, torch.zeros_like(self.textures))),
            iterations=self.iterations.numpy(),
            confidences=self.confidences.cpu().numpy().astype(np.float32),
            reached=self.reached.numpy(),
            first_fooled=self.first_fooled.numpy(),
            history=History(self._loss, self._confidence),
        )


def _concatenated(parts: Sequence[AttackResult], steps: int) -> AttackResult:
    whole = replace(
        parts[0],
        adversarial=np.concatenate([part.adversarial for part in parts]),
        textures=np.concatenate([part.textures for part in parts]),
        iterations=np.concatenate([part.iterations for part in parts]),
        confidences=np.concatenate([part.confidences for part in parts]),
        reached=np.concatenate([part.reached for part in parts]),
        first_fooled=np.concatenate([part.first_fooled for part in parts]),
        history=History(
            np.concatenate([part.history.loss for part in parts], axis=1),
            np.concatenate([part.history.confidence for part in parts], axis=1),
        ),
    )
    assert len(whole.history.loss) == steps + 1
    return whole

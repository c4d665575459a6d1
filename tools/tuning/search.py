"""The search: a coarse grid on some faces, inpainting for its best, the best of both on more faces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NotRequired, TypedDict

import numpy as np

from models.arrays import Bytes, Labels
from models.saliency_mask import MaskParameters
from tools.common.progress import Tick
from tools.common.report import Proportion, proportion
from tools.tuning.answers import Answers
from tools.tuning.goodness import Interval, Outcomes, Terms, goodness_interval, terms_of
from tools.tuning.grid import Axes, in_words, inpainted, with_others

INPAINTED = 80  # of the coarse grid's best, tried again with the other fill


@dataclass(frozen=True)
class Faces:
    """Clean faces and attacked ones; the searches take the first of each."""

    clean: Bytes  # (N, S, S, 3)
    clean_labels: Labels
    adversarial: Bytes  # (M, S, S, 3)
    labels: Labels
    targets: Labels

    def first(self, count: int) -> Faces:
        return Faces(
            self.clean[:count],
            self.clean_labels[:count],
            self.adversarial[:count],
            self.labels[:count],
            self.targets[:count],
        )


class Row(TypedDict):
    """One combination in figures; every share with its n and interval."""

    parameters: dict[str, object]
    clean_real: float
    adversarial_real: float
    adversarial_target: float
    goodness: float
    n_clean: int
    n_adversarial: int
    clean_accuracy: Proportion
    adversarial_accuracy: Proportion
    attack_success: Proportion
    masked_on_clean: float


@dataclass(frozen=True)
class Measured:
    """Combinations with what came of them on the same faces."""

    combinations: list[MaskParameters]
    clean: Outcomes
    adversarial: Outcomes
    faces: Faces

    @property
    def terms(self) -> list[Terms]:
        return terms_of(self.clean, self.adversarial)

    def place(self, parameters: MaskParameters) -> int:
        return self.combinations.index(parameters)

    def order(self) -> list[int]:
        """Indices, the highest goodness first; equal ones in the grid's order."""
        goodness = np.array([terms.goodness for terms in self.terms])
        return [int(i) for i in np.argsort(-goodness, kind="stable")]

    def distinct(self, order: Sequence[int]) -> list[int]:
        """``order`` without combinations that do exactly what an earlier one does on every face."""
        seen: set[bytes] = set()
        kept = []
        for index in order:
            parts = (self.clean.real, self.clean.masked, self.adversarial.real, self.adversarial.masked)
            key = b"".join(part[index].tobytes() for part in parts)
            if key not in seen:
                seen.add(key)
                kept.append(index)
        return kept

    def best_of_each(self) -> dict[str, int]:
        """The best combination for each objective alone."""
        terms = self.terms
        return {
            "AC(clean, real)": max(range(len(terms)), key=lambda i: terms[i].clean_real),
            "AC(adv, real)": max(range(len(terms)), key=lambda i: terms[i].adversarial_real),
            "AC(adv, target)": min(range(len(terms)), key=lambda i: terms[i].adversarial_target),
            "goodness": self.order()[0],
        }

    def row(self, index: int) -> Row:
        """One combination in figures."""
        right = self.clean.best[index] == self.faces.clean_labels
        after = self.adversarial.best[index]
        n, m, terms = len(right), len(after), self.terms[index]
        return {
            "parameters": asdict(self.combinations[index]),
            "clean_real": round(terms.clean_real, 4),
            "adversarial_real": round(terms.adversarial_real, 4),
            "adversarial_target": round(terms.adversarial_target, 4),
            "goodness": round(terms.goodness, 4),
            "n_clean": n,
            "n_adversarial": m,
            "clean_accuracy": proportion(int(right.sum()), n),
            "adversarial_accuracy": proportion(int((after == self.faces.labels).sum()), m),
            "attack_success": proportion(int((after == self.faces.targets).sum()), m),
            "masked_on_clean": round(float(self.clean.masked[index].mean()), 4),
        }


class Record(TypedDict):
    """How parameters were found; ``combinations``, ``stage_seconds`` and ``masks_classified`` by stage."""

    goodness_interval: Interval
    runner_up: str | None
    merging_error: float
    combinations: dict[str, int]
    stage_seconds: dict[str, float]
    masks_classified: dict[str, int]
    lead: NotRequired[Interval]


@dataclass(frozen=True)
class Found:
    """What ``search`` found. ``merging_error`` is the largest error in goodness that sharing answers between
    nearly equal masks made, on the combinations that were measured without it as well."""

    coarse: Measured
    fine: Measured
    winner: int  # within ``fine``
    runner_up: int | None
    merging_error: float
    seconds: dict[str, float]
    classified: dict[str, int]

    def record(self) -> Record:
        """For the bundle and the report: how these parameters were found."""
        runner = None if self.runner_up is None else self.fine.combinations[self.runner_up]
        outcome: Record = {
            "goodness_interval": goodness_interval(self.fine.clean, self.fine.adversarial, self.winner),
            "runner_up": None if runner is None else in_words(runner),
            "merging_error": round(self.merging_error, 5),
            "combinations": {"coarse": len(self.coarse.combinations), "fine": len(self.fine.combinations)},
            "stage_seconds": self.seconds,
            "masks_classified": self.classified,
        }
        if self.runner_up is not None:
            outcome["lead"] = goodness_interval(self.fine.clean, self.fine.adversarial, self.winner, self.runner_up)
        return outcome


def measure(
    answers: Answers,
    faces: Faces,
    combinations: Sequence[MaskParameters],
    *,
    merge: float = 0.0,
    stage: str = "",
    tick: Tick | None = None,
) -> Measured:
    """Every combination on every face, clean and attacked."""
    clean = answers.measure(
        faces.clean, faces.clean_labels, None, combinations, merge=merge, stage=f"{stage}, clean faces", tick=tick
    )
    adversarial = answers.measure(
        faces.adversarial,
        faces.labels,
        faces.targets,
        combinations,
        merge=merge,
        stage=f"{stage}, attacked faces",
        tick=tick,
    )
    return Measured(list(combinations), clean, adversarial, faces)


def joined(one: Measured, other: Measured) -> Measured:
    """Two measurements on the same faces as one."""

    def stacked(a: Outcomes, b: Outcomes) -> Outcomes:
        return Outcomes(**{name: np.concatenate([values, vars(b)[name]]) for name, values in vars(a).items()})

    combinations = [*one.combinations, *other.combinations]
    return Measured(
        combinations, stacked(one.clean, other.clean), stacked(one.adversarial, other.adversarial), one.faces
    )


def search(
    answers: Answers,
    faces: Faces,
    axes: Axes,
    *,
    always: Sequence[MaskParameters] = (),
    coarse_faces: int = 40,
    best: int = 40,
    merge: float = 0.002,
    tick: Tick | None = None,
) -> Found:
    """Find the parameters of the highest goodness.

    Args:
        faces: the coarse grid takes the first ``coarse_faces`` clean and attacked ones, the rest see the best.
        always: measured at both stages whatever they are worth (the published values, the bundle's own).
        best: combinations that reach the second stage.
        merge: at the first stage, masks of a face that differ in at most this share of the crop share an
            answer; the second stage is exact.
    """
    seconds: dict[str, float] = {}
    classified: dict[str, int] = {}

    def timed(stage: str, some: Faces, combinations: Sequence[MaskParameters], share: float) -> Measured:
        started, before = time.perf_counter(), answers.classified
        found = measure(answers, some, combinations, merge=share, stage=stage, tick=tick)
        seconds[stage] = round(time.perf_counter() - started, 1)
        classified[stage] = answers.classified - before
        return found

    few = faces.first(coarse_faces)
    plain = timed("coarse", few, with_others(axes.combinations(), always), merge)
    leading = [plain.combinations[i] for i in plain.distinct(plain.order())[:INPAINTED]]
    others = inpainted([one for one in leading if one.fill == "mean"])
    painted = timed("inpainting", few, [one for one in others if one not in plain.combinations], merge)
    coarse = joined(plain, painted)
    chosen = coarse.distinct(coarse.order())[:best]
    candidates = with_others([coarse.combinations[i] for i in (*chosen, *coarse.best_of_each().values())], always)
    fine = timed("fine", faces, candidates, 0.0)
    order = fine.distinct(fine.order())
    exact = terms_of(fine.clean.of(faces=slice(coarse_faces)), fine.adversarial.of(faces=slice(coarse_faces)))
    rough = coarse.terms
    errors = [abs(exact[i].goodness - rough[coarse.place(one)].goodness) for i, one in enumerate(candidates)]
    return Found(coarse, fine, order[0], order[1] if len(order) > 1 else None, max(errors), seconds, classified)

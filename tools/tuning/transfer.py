"""The article's own caveat: parameters tuned on one kind of perturbation, applied to every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from models.arrays import Bytes, Labels
from models.saliency_mask import MaskParameters
from tools.common.progress import Tick
from tools.common.report import Proportion, proportion
from tools.crafting.attacked_faces import Attacked
from tools.tuning.answers import Answers
from tools.tuning.goodness import terms_of
from tools.tuning.grid import in_words


class Cells(TypedDict):
    """A row of the matrix: by the kind reported on."""

    goodness: list[float]
    accuracy: list[Proportion]
    success: list[Proportion]


class Matrix(TypedDict):
    """Row = the kind tuned on, with the parameters found there, column = the kind reported on; ``published``: the row
    of the published parameters."""

    kinds: list[str]
    tuned: dict[str, MaskParameters]
    goodness: list[list[float]]
    accuracy: list[list[Proportion]]
    success: list[list[Proportion]]
    published: Cells


def transfer_matrix(
    answers: Answers,
    clean: Bytes,
    clean_labels: Labels,
    kinds: Mapping[str, Attacked],
    combinations: Sequence[MaskParameters],
    *,
    merge: float = 0.002,
    tick: Tick | None = None,
) -> Matrix:
    """Each kind tunes on its faces with even numbers; all are reported on those with odd numbers.

    Args:
        combinations: the published one comes last.
    """
    on_clean = answers.measure(
        clean, clean_labels, None, combinations, merge=merge, stage="transfer, clean faces", tick=tick
    )
    measured = {
        name: answers.measure(
            kind.adversarial, kind.labels, kind.targets, combinations, merge=merge, stage=f"transfer, {name}", tick=tick
        )
        for name, kind in kinds.items()
    }
    tuning, reporting = slice(0, None, 2), slice(1, None, 2)
    tuned = {
        name: int(np.argmax([t.goodness for t in terms_of(on_clean.of(faces=tuning), found.of(faces=tuning))]))
        for name, found in measured.items()
    }

    def row(index: int) -> Cells:
        cells: Cells = {"goodness": [], "accuracy": [], "success": []}
        for name, found in measured.items():
            held = found.of(slice(index, index + 1), reporting)
            (terms,) = terms_of(on_clean.of(slice(index, index + 1), reporting), held)
            named, n = held.best[0], held.best.shape[1]
            cells["goodness"].append(round(terms.goodness, 4))
            cells["accuracy"].append(proportion(int((named == kinds[name].labels[reporting]).sum()), n))
            cells["success"].append(proportion(int((named == kinds[name].targets[reporting]).sum()), n))
        return cells

    rows = {name: row(index) for name, index in tuned.items()}
    return {
        "kinds": list(kinds),
        "tuned": {name: combinations[index] for name, index in tuned.items()},
        "goodness": [rows[name]["goodness"] for name in kinds],
        "accuracy": [rows[name]["accuracy"] for name in kinds],
        "success": [rows[name]["success"] for name in kinds],
        "published": row(len(combinations) - 1),
    }


def transfer_table(matrix: Matrix) -> str:
    """Markdown: goodness (success of the attack) by kind."""
    kinds = matrix["kinds"]
    lines = ["| tuned on, parameters | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]

    def cells(goodness: Sequence[float], success: Sequence[Proportion]) -> str:
        shown = (
            f"{g:.3f} ({100 * (s['share'] or 0):.0f} % of {s['n']} fooled)"
            for g, s in zip(goodness, success, strict=True)
        )
        return " | ".join(shown)

    for name, goodness, success in zip(kinds, matrix["goodness"], matrix["success"], strict=True):
        words = in_words(matrix["tuned"][name])
        lines.append(f"| {name}: {words} | {cells(goodness, success)} |")
    published = matrix["published"]
    lines.append(f"| published, scaled | {cells(published['goodness'], published['success'])} |")
    return "\n".join(lines)

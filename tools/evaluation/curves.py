"""The evaluation's curves as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from models.arrays import Bools, Floats, Labels
from tools.attacks.registry import OBLIVIOUS
from tools.common.report import save_figure
from tools.crafting.attacked_faces import NOBODY, Attacked
from tools.evaluation.answered import Answered
from tools.evaluation.defences import NONE, PUBLISHED, TUNED, ZONES, Defence
from tools.evaluation.measurement import Evaluation

CURVES = ("success_against_iterations.png", "accuracy_against_threshold.png", "per_identity.png")
THRESHOLDS = np.round(np.arange(0, 1.0, 0.02), 2)


def write_curves(found: Evaluation, defences: Sequence[Defence], names: Sequence[str], folder: Path) -> list[Path]:
    """All curves; gives the files written."""
    iterations, thresholds, identities = (folder / name for name in CURVES)
    plot_iterations(found, defences, names, iterations)
    if OBLIVIOUS not in found.attacked:
        return [iterations]
    plot_thresholds(found, defences, thresholds)
    plot_identities(found, names, identities)
    return [iterations, thresholds, identities]


def fooled(faces: Attacked, answered: Answered, defence: Defence, names: Sequence[str]) -> Bools:
    """(N,) whether the PNG does what is counted as success: over zone views Known(target), elsewhere the target is
    named (a dodge: somebody else than the own name).
    """
    if defence.name == ZONES:
        assert defence.policy is not None
        decisions = answered.decisions(defence, tuple(names), defence.policy)
        return np.array([one.identity == names[goal] for one, goal in zip(decisions, faces.targets, strict=True)])
    named = answered.defended.argmax(axis=1)
    return np.asarray(np.where(faces.targets == NOBODY, named != faces.labels, named == faces.targets))


def success_by_iteration(faces: Attacked, success: Bools) -> npt.NDArray[np.float64] | None:
    """(steps + 1,) the share of pairs with ``success`` (N,) that the attack saw fool the recogniser by each iteration.

    The last value falls short of the share of ``success`` by what fools though the attack never saw it do so (it may
    judge in another precision, and not at every step). None: a record does not say, since it was kept by an earlier
    version.
    """
    if not all("first_fooled" in record for record in faces.records):
        return None
    first = [record["first_fooled"] for record in faces.records]
    seen = np.array([np.inf if step is None else step for step in first])
    steps = np.arange(faces.settings.steps + 1)
    return np.asarray(((seen[None] <= steps[:, None]) & success[None]).mean(axis=1))


def by_threshold(scores: Floats, labels: Labels) -> npt.NDArray[np.float64]:
    """(T,) the share of crops given ``labels`` with at least each of ``THRESHOLDS``."""
    given = scores.argmax(axis=1) == labels
    return np.asarray([(given & (scores.max(axis=1) >= threshold)).mean() for threshold in THRESHOLDS])


def plot_iterations(found: Evaluation, defences: Sequence[Defence], names: Sequence[str], path: Path) -> None:
    """Success against iterations: oblivious attacks on the undefended bundle, adaptive ones on their defence."""
    by_name = {defence.name: defence for defence in defences}
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, faces in found.attacked.items():
        defence = by_name[found.figures["attacks"][name]["against"] or NONE]
        success = fooled(faces, found.attack_answers[name][defence.name], defence, names)
        curve = success_by_iteration(faces, success)
        title = f"{name}: {100 * success.mean():.1f} % of {len(faces)}"
        if curve is None:
            axes.plot([], [], " ", label=f"{title} (steps not on record)")
            continue
        style = "-" if defence.name == NONE else "--" if defence.name == PUBLISHED else ":"
        axes.plot(100 * curve, style, label=title)
    axes.set_xlabel("iterations")
    axes.set_ylabel("fooled by then, and on the PNG read back (%)")
    axes.set_ylim(-2, 102)
    axes.grid(alpha=0.3)
    if found.attacked:
        axes.legend(fontsize=7, title="all whose PNG fools in the end", title_fontsize=7)
    save_figure(figure, path)


def plot_thresholds(found: Evaluation, defences: Sequence[Defence], path: Path) -> None:
    """Clean accuracy, adversarial accuracy and targeted success against the confidence threshold."""
    faces, answers = found.attacked[OBLIVIOUS], found.attack_answers[OBLIVIOUS]
    figure, panels = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained", sharey=True)
    titles = (
        f"clean accuracy (n = {len(found.clean[1])})",
        f"adversarial accuracy (n = {len(faces)})",
        f"targeted success (n = {len(faces)})",
    )
    for defence in defences:
        curves = (
            by_threshold(found.clean_answers[defence.name].defended, found.clean[1]),
            by_threshold(answers[defence.name].defended, faces.labels),
            by_threshold(answers[defence.name].defended, faces.targets),
        )
        width = 2.2 if defence.name in (NONE, PUBLISHED, TUNED) else 1.0
        for panel, curve in zip(panels, curves, strict=True):
            panel.plot(THRESHOLDS, 100 * curve, label=defence.title, linewidth=width)
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("confidence threshold")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("%")
    panels[0].set_ylim(-2, 102)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    save_figure(figure, path)


def plot_identities(found: Evaluation, names: Sequence[str], path: Path) -> None:
    """Per true person: clean accuracy, and adversarial accuracy with and without the defence."""
    faces, answers = found.attacked[OBLIVIOUS], found.attack_answers[OBLIVIOUS]
    defence = TUNED if TUNED in answers else PUBLISHED
    people = [label for label in range(len(names)) if (found.clean[1] == label).any() or (faces.labels == label).any()]
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(people) + 1.5), layout="constrained")
    places = np.arange(len(people))
    bars: list[tuple[str, Answered, Labels]] = []
    if defence in answers:
        bars = [
            (f"clean, {defence}", found.clean_answers[defence], found.clean[1]),
            ("attacked, no defence", answers[NONE], faces.labels),
            (f"attacked, {defence}", answers[defence], faces.labels),
        ]
    for number, (title, answered, labels) in enumerate(bars):
        right = answered.defended.argmax(axis=1) == labels
        shares = [100 * right[labels == one].mean() if (labels == one).any() else 0 for one in people]
        axes.barh(places + 0.27 * (number - 1), shares, height=0.25, label=title)
    counts = [f"{names[one]} ({(found.clean[1] == one).sum()}, {(faces.labels == one).sum()})" for one in people]
    axes.set_yticks(places, counts, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("named rightly (%); in brackets: clean faces, attacked faces")
    axes.grid(alpha=0.3, axis="x")
    if bars:
        axes.legend(fontsize=7)
    save_figure(figure, path)

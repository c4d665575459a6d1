"""Figures of merit with their intervals, and the pictures of a training report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import matplotlib

matplotlib.use("Agg")  # no screen is needed

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.stats import binomtest

from models.arrays import Floats, Labels
from realtime.system.command_line import write_whole


class OverPeople(TypedDict):
    """An interval over people; None below two."""

    people: int
    low: float | None
    high: float | None


class Proportion(TypedDict):
    """``right`` of ``n`` with the 95 % Wilson interval; None where n = 0."""

    share: float | None
    low: float | None
    high: float | None
    right: int
    n: int
    over_people: NotRequired[OverPeople]


def proportion(right: int, n: int) -> Proportion:
    """A share with its 95 % Wilson interval: ``share``, ``low``, ``high``, ``right``, ``n``."""
    if n == 0:
        return {"share": None, "low": None, "high": None, "right": 0, "n": 0}
    interval = binomtest(right, n).proportion_ci(confidence_level=0.95, method="wilson")
    return {
        "share": round(right / n, 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
        "right": right,
        "n": n,
    }


def percent(figure: Proportion) -> str:
    """A proportion in words: ``95.3 % (93.0-96.9, n = 450)``."""
    share, low, high = figure["share"], figure["low"], figure["high"]
    if share is None or low is None or high is None:
        return "not measured"
    return f"{100 * share:.1f} % ({100 * low:.1f}-{100 * high:.1f}, n = {figure['n']})"


def in_hundred(figure: Proportion, digits: int = 1) -> str:
    """The share alone, per cent: ``95.3``; ``-`` where nothing was counted."""
    return "-" if figure["share"] is None else f"{100 * figure['share']:.{digits}f}"


def accuracy(scores: Floats, labels: Labels) -> Proportion:
    """How often the highest of (N, K) scores is the person."""
    return proportion(int((scores.argmax(axis=1) == labels).sum()) if len(labels) else 0, len(labels))


def confusion(scores: Floats, labels: Labels, people: int) -> npt.NDArray[np.int64]:
    """(K, K) counts: row = the person, column = the name given."""
    counts = np.zeros((people, people), dtype=np.int64)
    np.add.at(counts, (labels, scores.argmax(axis=1)), 1)
    return counts


class OpenSet(TypedDict):
    threshold: float
    known_right: Proportion
    known_wrong: Proportion
    strangers_named: Proportion


def open_set(known: Floats, labels: Labels, strangers: Floats, thresholds: Sequence[float]) -> list[OpenSet]:
    """What a threshold on the highest probability does to known people and to strangers.

    Args:
        known: (N, K) probabilities of crops of enrolled people.
        labels: (N,).
        strangers: (M, K) probabilities of crops of anybody else.

    Returns:
        Per threshold: ``known_right``, ``known_wrong`` (named, but not their name), ``strangers_named``.
    """
    best, right = known.max(axis=1), known.argmax(axis=1) == labels
    return [
        {
            "threshold": threshold,
            "known_right": proportion(int((right & (best >= threshold)).sum()), len(labels)),
            "known_wrong": proportion(int((~right & (best >= threshold)).sum()), len(labels)),
            "strangers_named": proportion(int((strangers.max(axis=1) >= threshold).sum()), len(strangers)),
        }
        for threshold in thresholds
    ]


def separation(known: Floats, strangers: Floats) -> float:
    """Area under the ROC curve: how often a known crop's highest probability exceeds a stranger's (ties half)."""
    a, b = known.max(axis=1), np.sort(strangers.max(axis=1))
    below, up_to = np.searchsorted(b, a, side="left"), np.searchsorted(b, a, side="right")
    return float((below + up_to).mean() / (2 * len(b)))


def plot_confusion(counts: npt.NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """The confusion matrix as a PNG; the diagonal is the right answers."""
    side = max(5.0, 0.3 * len(names) + 2)
    figure, axes = plt.subplots(figsize=(side, side), layout="constrained")
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("name given")
    axes.set_ylabel("person")
    save_figure(figure, path)


def plot_learning_curves(stages: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Training loss and every validation accuracy by epoch, one row per stage."""
    figure, grid = plt.subplots(len(stages), 2, figsize=(10, 3.5 * len(stages)), layout="constrained", squeeze=False)
    for (stage, records), (left, right) in zip(stages.items(), grid, strict=True):
        epochs = [record["epoch"] for record in records]
        left.plot(epochs, [record["loss"] for record in records], label="training (smoothed targets)")
        for key in records[0] if records else ():
            if key.endswith("_loss"):
                left.plot(epochs, [record[key] for record in records], label=key.removesuffix("_loss"))
            if key.endswith("_accuracy"):
                right.plot(epochs, [100 * record[key] for record in records], label=key.removesuffix("_accuracy"))
        left.set_ylabel("cross-entropy")
        right.set_ylabel("accuracy on validation (%)")
        for axes in (left, right):
            axes.set_title(stage)
            axes.set_xlabel("epoch")
            axes.grid(alpha=0.3)
            if axes.lines:  # nothing is validated where everybody has one picture
                axes.legend(fontsize=8)
    save_figure(figure, path)


def plot_open_set(points: Sequence[OpenSet], path: Path) -> None:
    """Strangers named against known people named rightly, over the threshold."""
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    x = [100 * (point["strangers_named"]["share"] or 0) for point in points]
    y = [100 * (point["known_right"]["share"] or 0) for point in points]
    axes.plot(x, y, marker=".")
    for point, u, v in zip(points, x, y, strict=True):
        axes.annotate(f"{point['threshold']:.2f}", (u, v), fontsize=7, xytext=(3, -8), textcoords="offset points")
    axes.set_xlabel("strangers named (%)")
    axes.set_ylabel("known people named rightly (%)")
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure and forget it.

    Raises:
        BadInput: it cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    plt.close(figure)
    write_whole(path, content.getvalue())

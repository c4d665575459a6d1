"""Drawings of measured figures: success against iterations, live rates; and the line from camera to screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from models.errors import BadInput
from tools.maintain.drawings.theme import Theme

#: The runs of the attack that lets itself be masked (A6), by the steps that it took.
RUNS = ("adaptive.json", "adaptive_longer.json", "adaptive_1000_steps.json")
STAGES = (
    ("camera", "realtime/cameras"),
    ("Frame", ""),
    ("faces", "realtime/faces"),
    ("Track, FaceCrop", ""),
    ("recogniser", "models/"),
    ("Evidence", ""),
    ("policy", "models/policy.py"),
    ("Decision", ""),
    ("verdict", "realtime/verdicts"),
    ("Verdict", ""),
    ("screen, page, events", "realtime/outputs"),
)


def read(file: Path) -> Any:
    """A file of figures. Raises ``BadInput`` where it cannot be read."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: no figures can be read ({error}); measure them again") from None


def iterations(benchmarks: Path, theme: Theme) -> Figure:
    """How often the attacker who knows the saliency mask gets the target's name, by the steps taken."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    runs = [read(benchmarks / "evaluation" / run) for run in RUNS]
    for row, title, colour in (
        ("published", "published settings", theme.bad),
        ("tuned", "tuned settings", theme.other),
    ):
        attacks = [run["attacks"][f"A6 on {row}"] for run in runs]
        found = [attack["rows"][row]["targeted_success"] for attack in attacks]
        _with_intervals(axes, [attack["settings"]["steps"] for attack in attacks], found, f"mask, {title}", colour)
    axes.set_xscale("log")
    steps = [run["attacks"]["A6 on tuned"]["settings"]["steps"] for run in runs]
    axes.set_xticks(
        steps, [f"{step}\n(n = {run['attacks']['A6 on tuned']['n']})" for step, run in zip(steps, runs, strict=True)]
    )
    axes.minorticks_off()
    axes.set_xlabel("steps that the attacker takes")
    axes.set_ylabel("gets the target's name (%)")
    axes.set_ylim(0, 103)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def live(benchmarks: Path, theme: Theme) -> Figure:
    """Rates and ages of the live benchmark by the number of faces before one camera."""
    rows = [row for row in read(benchmarks / "live.json")["results"] if row["cameras"] == 1]
    faces = [str(row["faces"]) for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")
    left.plot(faces, [row["displayed_fps_lowest"] for row in rows], "o-", color=theme.good, label="pictures shown")
    left.plot(
        faces,
        [row["decisions_per_second_and_face"] for row in rows],
        "s-",
        color=theme.bad,
        label="decisions on each face",
    )
    left.set_ylabel("per second")
    for key, title, mark in (("p50", "median", "o-"), ("p95", "95 % are younger", "s--")):
        right.plot(
            faces,
            [row["verdict_age_ms"][key] / 1e3 for row in rows],
            mark,
            color=theme.other,
            label=f"verdict, {title}",
        )
    right.plot(
        faces,
        [row["frame_age_ms"]["p95"] / 1e3 for row in rows],
        "^-",
        color=theme.good,
        label="picture, 95 % are younger",
    )
    right.set_ylabel("age (s)")
    for axes in (left, right):
        axes.set_xlabel("faces before one camera")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def capacity(benchmarks: Path, theme: Theme) -> Figure:
    """Cameras per node by its cores, and the time until a verdict on sites of every size: reckoned, not measured."""
    found = read(benchmarks / "capacity.json")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")
    cores = [row["cores"] for row in found["per_node"]]
    left.plot(cores, [row["cameras"] for row in found["per_node"]], "o-", color=theme.good)
    left.set_xlabel("cores of a node")
    left.set_ylabel("cameras in the rush")
    left.set_ylim(bottom=0)
    sites = [row["cameras"] for row in found["sites"]]
    for part, title, mark, colour in (
        ("calm", "calm", "^-", theme.good),
        ("rush", "rush", "o-", theme.other),
        ("node_lost", "rush, a node lost", "s-", theme.bad),
    ):
        slow = [row[part]["until_verdict"]["p95"] for row in found["sites"]]
        right.plot(sites, slow, mark, color=colour, label=title)
    right.set_xscale("log")
    right.set_xlabel("cameras of a site")
    right.set_ylabel("until a verdict, 95 % are faster (s)")
    right.set_ylim(bottom=0)
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def architecture(theme: Theme) -> Figure:
    """Stages as boxes, and between them what one gives to the next."""
    stages = [one for one in STAGES if one[1]]
    given = [one[0] for one in STAGES if not one[1]]
    figure, axes = plt.subplots(figsize=(11, 2.4), layout="constrained")
    axes.set_xlim(-0.1, len(stages) * 1.6 - 0.4)
    axes.set_ylim(-0.1, 1.3)
    axes.axis("off")
    for number, (name, folder) in enumerate(stages):
        left = number * 1.6
        colour = theme.good if folder.startswith("models") else theme.other
        axes.add_patch(
            FancyBboxPatch((left, 0.3), 1.0, 0.6, "round,pad=0.03", fill=False, edgecolor=colour, linewidth=1.8)
        )
        axes.text(left + 0.5, 0.6, name.replace(", ", ",\n"), ha="center", va="center", fontsize=9.5)
        axes.text(left + 0.5, 0.1, folder, ha="center", va="center", fontsize=7.5, color=theme.pale)
        if number < len(given):
            axes.annotate(
                "", (left + 1.54, 0.6), (left + 1.06, 0.6), arrowprops={"arrowstyle": "->", "color": theme.ink}
            )
            axes.text(
                left + 1.3,
                1.1,
                given[number].replace(", ", ",\n"),
                ha="center",
                va="center",
                fontsize=8.5,
                style="italic",
            )
    return figure


class _Share(TypedDict):
    share: float
    low: float
    high: float


def _with_intervals(axes: Axes, x: list[int], found: Sequence[_Share], title: str, colour: str) -> None:
    y = [100 * one["share"] for one in found]
    below = [100 * (one["share"] - one["low"]) for one in found]
    above = [100 * (one["high"] - one["share"]) for one in found]
    axes.errorbar(x, y, [below, above], fmt="o-", capsize=4, color=colour, label=title)

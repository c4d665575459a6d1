"""The tables and heat maps of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from models.saliency_mask import MaskParameters
from tools.common.report import percent, save_figure
from tools.tuning.goodness import Terms
from tools.tuning.grid import Axes
from tools.tuning.search import Found, Measured, Row

OBJECTIVES = {
    "goodness": "goodness",
    "clean_real": "AC(clean, real)",
    "adversarial_real": "AC(adv, real)",
    "adversarial_target": "AC(adv, target)",
}


def rows_of(found: Found, published: MaskParameters, own: MaskParameters) -> dict[str, Row]:
    """The table as the article has it: the best for each objective and for goodness, then the runner-up, the
    published values scaled and the bundle's own before."""
    fine = found.fine
    rows = {f"best {name}": index for name, index in fine.best_of_each().items() if name != "goodness"}
    rows["best goodness"] = found.winner
    if found.runner_up is not None:
        rows["runner-up"] = found.runner_up
    rows["published, scaled"] = fine.place(published)
    if own != published:
        rows["before tuning"] = fine.place(own)
    return {name: fine.row(index) for name, index in rows.items()}


def markdown(rows: Mapping[str, Row]) -> str:
    """The rows as a table; n stands once per share."""
    head = "| | mu | n | phi | percentile | fill | AC(clean, real) | AC(adv, real) | AC(adv, target) | goodness"
    head += " | clean accuracy | adversarial accuracy | attack success | masked on clean |"
    lines = [head, "|---" * 14 + "|"]
    for name, row in rows.items():
        p = row["parameters"]
        cells = [name, f"{p['threshold']:g}", p["iterations"], p["min_area"], f"{p['percentile']:g}", p["fill"]]
        terms = (row["clean_real"], row["adversarial_real"], row["adversarial_target"], row["goodness"])
        cells += [f"{term:.4f}" for term in terms]
        shares = (row["clean_accuracy"], row["adversarial_accuracy"], row["attack_success"])
        cells += [percent(share) for share in shares]
        cells.append(f"{100 * row['masked_on_clean']:.1f} %")
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def plot_surface(
    measured: Measured, axes: Axes, objective: str, marks: Mapping[str, MaskParameters], path: Path
) -> None:
    """Heat maps of one objective: a panel per percentile (rows) and smallest area (columns), in each the
    threshold against the iterations; a letter marks each of ``marks`` that is on the grid."""
    values = {one: _value(terms, objective) for one, terms in zip(measured.combinations, measured.terms, strict=True)}
    shape = (len(axes.percentiles), len(axes.min_areas))
    figure, panels = plt.subplots(
        *shape, figsize=(2.6 * shape[1] + 1.5, 2.3 * shape[0] + 0.6), layout="constrained", squeeze=False
    )
    grid = [values[one] for one in axes.combinations()]
    low, high = min(grid), max(grid)
    image = None
    for row, percentile in enumerate(axes.percentiles):
        for column, area in enumerate(axes.min_areas):
            panel = panels[row, column]
            surface = np.array(
                [[values[MaskParameters(mu, n, area, percentile)] for n in axes.iterations] for mu in axes.thresholds]
            )
            image = panel.imshow(surface, vmin=low, vmax=high, cmap="viridis", origin="lower", aspect="auto")
            panel.set_xticks(range(len(axes.iterations)), [str(n) for n in axes.iterations], fontsize=7)
            panel.set_yticks(range(len(axes.thresholds)), [f"{mu:g}" for mu in axes.thresholds], fontsize=7)
            panel.set_title(f"percentile {percentile:g}, phi {area}", fontsize=8)
            _mark(panel, axes, marks, percentile, area)
    for panel in panels[-1]:
        panel.set_xlabel("n (iterations)", fontsize=8)
    for panel in panels[:, 0]:
        panel.set_ylabel("mu (threshold)", fontsize=8)
    assert image is not None
    figure.colorbar(image, ax=panels, shrink=0.7)
    n, m = len(measured.faces.clean), len(measured.faces.adversarial)
    letters = ", ".join(f"{letter} = {name}" for letter, name in zip("ABCDEFGH", marks, strict=False))
    figure.suptitle(f"{OBJECTIVES[objective]}, mean fill, {n} clean and {m} attacked faces ({letters})", fontsize=9)
    save_figure(figure, path)


def _value(terms: Terms, objective: str) -> float:
    return float(getattr(terms, objective))


def _mark(panel: Any, axes: Axes, marks: Mapping[str, MaskParameters], percentile: float, area: int) -> None:
    for letter, one in zip("ABCDEFGH", marks.values(), strict=False):
        on_panel = one.percentile == percentile and one.min_area == area
        if on_panel and one.iterations in axes.iterations and one.threshold in axes.thresholds:
            place: Sequence[int] = (axes.iterations.index(one.iterations), axes.thresholds.index(one.threshold))
            panel.text(*place, letter, color="red", ha="center", va="center", fontsize=10, fontweight="bold")

"""The results as one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.errors import BadInput

Row = Mapping[str, Any]
_FIRST = "classify (and zone views), saliency"


def decision_chart(rows: Sequence[Row]) -> Figure:
    """The stages of a decision on an attacked face, one bar per engine, size and batch; lines: the bare forward."""
    shown = [row for row in rows if row.get("faces") == "attacked" and "ms" in row]
    figure, axes = _bars(len(shown))
    names = [f"{row['engine']}, {row['size']}, batch {row['batch']}" for row in shown]
    left = [0.0] * len(shown)
    for stage in ("saliency", "mask", "reclassify"):
        values = [row["ms"][stage]["p50"] for row in shown]
        axes.barh(names, values, left=left, label=_FIRST if stage == "saliency" else stage)
        left = [a + b for a, b in zip(left, values, strict=True)]
    for index, row in enumerate(shown):
        bare = row["bare_forward_ms"]["p50"]
        axes.plot([bare, bare], [index - 0.4, index + 0.4], color="black", linewidth=2, label="" if index else "bare")
        axes.text(left[index], index, f" {row['ratio']['whole']['p50']:.2f} x", va="center", fontsize=8)
    return _finish(figure, axes, "milliseconds per pass", "A defended decision on an attacked face")


def naive_chart(rows: Sequence[Row]) -> Figure:
    """Decisions per second of every way that ran."""
    rows = [row for row in rows if "left_out" not in row]
    figure, axes = _bars(len(rows))
    names = [f"{row['way']} ({row['size']})" for row in rows]
    rates = [row["decisions_per_second"]["p50"] for row in rows]
    axes.barh(names, rates, color=["tab:grey" if row["ratio"] is None else "tab:blue" for row in rows])
    for index, row in enumerate(rows):
        ratio = "" if row["ratio"] is None else f" {row['ratio']['p50']:.1f} x"
        axes.text(rates[index], index, ratio, va="center", fontsize=8)
    return _finish(figure, axes, "defended decisions per second", "The same frames, offline", legend=False)


def detect_chart(rows: Sequence[Row]) -> Figure:
    """Milliseconds of every detector."""
    figure, axes = _bars(len(rows))
    names = [f"{row['detector']}, {row['faces']} faces, from {row['min_face']} px" for row in rows]
    axes.barh(names, [row["ms"]["p50"] for row in rows])
    return _finish(figure, axes, "milliseconds", "Finding faces in 640 x 480", legend=False)


def live_chart(rows: Sequence[Row]) -> Figure:
    """Rates on the left, ages on the right."""
    figure, (rates, ages) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    names = [f"{row['faces']} faces\n{row['cameras']} cam." for row in rows]
    places = range(len(rows))
    rates.bar([x - 0.2 for x in places], [row["displayed_fps_lowest"] for row in rows], 0.4, label="shown per second")
    rates.bar(
        [x + 0.2 for x in places], [row["decisions_per_second"] for row in rows], 0.4, label="decisions per second"
    )
    for key, colour in (("frame_age_ms", "tab:green"), ("verdict_age_ms", "tab:red")):
        for part, style in (("p50", "o"), ("p95", "^")):
            values = [row[key][part] or 0.0 for row in rows]
            ages.plot(names, values, style, color=colour, label=f"{key.removesuffix('_ms').replace('_', ' ')} {part}")
    rates.set_xticks(list(places), names)
    ages.set_ylabel("milliseconds")
    for axes in (rates, ages):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def soak_chart(result: Row) -> Figure:
    """Memory, threads, files and frame age over time."""
    figure, grid = plt.subplots(2, 2, figsize=(11, 6), layout="constrained", sharex=True)
    rows = result["samples"]
    minutes = [row["seconds"] / 60 for row in rows]
    series = {
        "resident memory, MB": [row["rss_mb"] for row in rows],
        "threads": [row["threads"] for row in rows],
        "open files": [row["files"] for row in rows],
        "frame age p95, ms": [row["frame_age_ms"]["p95"] for row in rows],
    }
    for axes, (name, values) in zip(grid.flat, series.items(), strict=True):
        axes.plot(minutes, values)
        axes.set_title(name)
        axes.set_ylim(0, 1.15 * max([value or 0 for value in values], default=1) or 1)
        axes.grid(alpha=0.3)
    for axes in grid[1]:
        axes.set_xlabel("minutes")
    return figure


def profile_chart(rows: Sequence[Row]) -> Figure:
    """The ops of every pass by their share of its time."""
    figure, axes = _bars(len(rows))
    names = [f"{row['graph']} ({row['size']}), {100 * row['share_of_peak']:.0f} % of peak" for row in rows]
    left = [0.0] * len(rows)
    for op in sorted({op for row in rows for op in row["ops"]}):
        values = [100 * row["ops"].get(op, 0.0) for row in rows]
        axes.barh(names, values, left=left, label=op)
        left = [a + b for a, b in zip(left, values, strict=True)]
    return _finish(figure, axes, "% of the time", "Where the time of a pass goes")


def stages_chart(found: Row) -> Figure:
    """What a frame costs by the number of faces in it."""
    figure, axes = _bars(len(found["frames"]))
    names = [f"{row['faces']} faces" for row in found["frames"]]
    left = [0.0] * len(names)
    for stage in ("decode", "follow", "draw"):
        values = [row[stage] for row in found["frames"]]
        axes.barh(names, values, left=left, label=stage)
        left = [a + b for a, b in zip(left, values, strict=True)]
    return _finish(figure, axes, "milliseconds of one core", "A frame in which faces are followed")


def stage_chart(summary: Row) -> Figure:
    """The median time of every stage of a run."""
    stages = {name: value for name, value in summary["stage_ms"].items() if value is not None}
    figure, axes = _bars(len(stages))
    axes.barh(list(stages), list(stages.values()))
    title = f"{summary['displayed_fps']:.1f} shown, {summary['decisions_per_second']:.1f} decisions per second"
    return _finish(figure, axes, "milliseconds, median", title, legend=False)


def chart_of(kind: str, results: Any) -> Figure:
    """The chart of a kind of measurement: decision, live, detect, soak, naive or run."""
    charts: dict[str, Callable[[Any], Figure]] = {
        "decision": decision_chart,
        "live": live_chart,
        "detect": detect_chart,
        "soak": soak_chart,
        "naive": naive_chart,
        "run": stage_chart,
        "profile": profile_chart,
        "stages": stages_chart,
    }
    return charts[kind](results)


def save(figure: Figure, path: Path) -> None:
    """Write the PNG. Raises ``BadInput`` where it cannot be written."""
    try:
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}; give a folder that is writable") from error
    finally:
        plt.close(figure)


def _bars(count: int) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(10, 2 + 0.35 * max(3, count)), layout="constrained")
    axes.invert_yaxis()
    return figure, axes


def _finish(figure: Figure, axes: Axes, unit: str, title: str, *, legend: bool = True) -> Figure:
    axes.set_xlabel(unit)
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="y", labelsize=8)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure

"""The printed summary of a run."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from realtime.cameras.states import CameraFigures
from realtime.metrics import Act, Faces, Percentiles, Summary


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Print what a run did, on standard output unless told otherwise."""
    (console or Console()).print(summary_tables(summary))


def summary_tables(summary: Summary) -> RenderableType:
    """The run, its stages, and its acts where it had any, as tables for rich."""
    parts: list[RenderableType] = [_run_table(summary), _stage_table(summary["stage_ms"])]
    if len(summary["cameras"]) > 1 or any(camera["message"] for camera in summary["cameras"]):
        parts.append(_camera_table(summary["cameras"]))
    if summary["acts"]:
        parts.append(_act_table(summary["acts"]))
    return Group(*parts)


def _faces(faces: Faces) -> str:
    return (
        f"in {faces['frames_with_faces']} of {faces['frames_searched']} frames searched, "
        f"at most {faces['most_at_once']} at once"
    )


def _run_table(summary: Summary) -> Table:
    table = Table(title="Run", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "engine": summary["engine"] or "none",
        "frames captured": str(summary["frames_captured"]),
        "frames displayed": f"{summary['frames_displayed']} ({summary['displayed_fps']:.1f} per second)",
        "frame age": _ages(summary["frame_age_ms"]),
        "verdict age": f"{_ages(summary['verdict_age_ms'])}; {100 * summary['stale_verdicts']:.1f} % not current",
        "decisions": f"{summary['decisions']} ({summary['decisions_per_second']:.1f} per second)",
        "faces": _faces(summary["faces"]),
        "decided": ", ".join(f"{name} {count}" for name, count in summary["verdicts"].items()) or "nothing",
        "peak memory": f"{summary['peak_rss_mb']:.0f} MB",
    }
    for name, value in rows.items():
        table.add_row(name, Text(value))  # Text: an engine or a name with [brackets] is not markup
    return table


def _stage_table(stages: Mapping[str, float | None]) -> Table:
    table = Table(title="Stages, median milliseconds", title_justify="left")
    for name in stages:
        table.add_column(name, justify="right")
    table.add_row(*(_milliseconds(value) for value in stages.values()))
    return table


def _camera_table(cameras: list[CameraFigures]) -> Table:
    table = Table(title="Cameras", title_justify="left")
    for column in ("name", "state", "pictures", "dropped", "reconnects"):
        table.add_column(column, justify="left" if column in ("name", "state") else "right")
    for one in cameras:
        state = one["state"] if one["cause"] is None else f"{one['state']} ({one['cause'].replace('_', ' ')})"
        counts = (one["captured"], sum(one["dropped"].values()), one["reconnects"])
        table.add_row(Text(one["name"]), state, *(str(count) for count in counts))
    return table


def _act_table(acts: list[Act]) -> Table:
    table = Table(title="Acts, decided frames by verdict", title_justify="left", show_lines=True)
    table.add_column("act")
    table.add_column("frames", justify="right")
    table.add_column("undefended")
    table.add_column("defended")
    for act in acts:
        undefended, defended = (_shares(act[side], act["frames"]) for side in ("undefended", "defended"))
        table.add_row(Text(act["name"]), str(act["frames"]), undefended, defended)
    return table


def _shares(counts: Mapping[str, int], frames: int) -> Text:
    lines = (f"{verdict}  {count} ({100 * count / frames:.0f} %)" for verdict, count in counts.items())
    return Text("\n".join(lines))


def _ages(ages: Percentiles) -> str:
    if ages["p50"] is None:
        return "-"
    return f"p50 {_milliseconds(ages['p50'])}, p95 {_milliseconds(ages['p95'])}, p99 {_milliseconds(ages['p99'])} ms"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"

"""The results for people: tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]


def decision_table(rows: Sequence[Row]) -> Table:
    """Per engine, size, batch and kind of face."""
    table = _table(
        "A decision, median milliseconds per pass; saliency: with the first classification and zone views; "
        "x: of ONNX Runtime's bare float32 forward, ± half the middle half",
        ["size", "faces", "engine", "kind", "masked"],
        ["bare", "classify", "saliency", "mask", "reclassify", "whole", "p95", "x saliency", "x whole"],
    )
    for row in rows:
        start = [row["size"], row.get("batch", ""), row["engine"], row.get("faces", "")]
        if "left_out" in row:
            table.add_row(*_texts([*start, "", row["left_out"]]))
            continue
        ms, ratio = row["ms"], row["ratio"]
        stages = [f"{ms[stage]['p50']:.1f}" for stage in ("classify", "saliency", "mask", "reclassify", "whole")]
        figures = [f"{row['bare_forward_ms']['p50']:.1f}", *stages, f"{ms['whole']['p95']:.1f}"]
        figures += [_ratio(ratio["saliency"]), _ratio(ratio["whole"])]
        table.add_row(*_texts([*start, f"{100 * row['masked_share']:.0f} %", *figures]))
    return table


def naive_table(rows: Sequence[Row]) -> Table:
    """Spectaclear against the natural way, and against peers that do not defend themselves."""
    words, figures = ["size", "way", ""], ["per second", "middle half", "x naive"]
    table = _table("Decisions per second, offline", words, figures)
    most = max((row["decisions_per_second"]["p50"] for row in rows if "left_out" not in row), default=0.0)
    for row in rows:
        if "left_out" in row:
            table.add_row(*_texts([row["size"], row["way"], f"not run: {row['left_out']}", "", "", ""]))
            continue
        rate = row["decisions_per_second"]
        ratio = "" if row["ratio"] is None else _ratio(row["ratio"])
        spread = f"{rate['p25']:.2f}-{rate['p75']:.2f}"
        table.add_row(*_texts([row["size"], row["way"], bar(rate["p50"], most), f"{rate['p50']:.2f}", spread, ratio]))
    return table


def bar(value: float, most: float, width: int = 20) -> str:
    """A bar of eighths of a character, ``width`` of them for ``most``."""
    eighths = round(8 * width * max(0.0, min(1.0, value / most))) if most > 0 else 0
    return "█" * (eighths // 8) + (" ▏▎▍▌▋▊▉"[eighths % 8] if eighths % 8 else "")


def histogram(counts: Mapping[str, int], of: str) -> Table:
    """A bar for each class of ages."""
    table = _table(f"How old pictures were when they were shown: {of}", ["milliseconds", ""], ["pictures"])
    most = max(counts.values(), default=0)
    for name, count in counts.items():
        table.add_row(*_texts([name, bar(count, most, 40), count]))
    return table


def stages_table(found: Row) -> Table:
    """What a frame costs by the number of faces in it."""
    table = _table(
        "Milliseconds of one core for a frame", ["faces", "followed"], ["decode", "searched", "followed only", "draw"]
    )
    for row in found["frames"]:
        costs = [f"{row[stage]:.1f}" for stage in ("decode", "detect", "follow", "draw")]
        table.add_row(*_texts([row["faces"], f"{row['faces_followed']:.1f}", *costs]))
    return table


def first_table(found: Row) -> Table:
    """How long somebody is in view until something is said."""
    table = _table(f"{found['appearances']} times somebody came (milliseconds)", ["until"], ["times", "p50", "p95"])
    for words, key in (("the first verdict", "first_verdict_ms"), ("the first name", "first_name_ms")):
        took = found[key]
        if took is not None:
            table.add_row(words, *_texts([took["n"], f"{took['p50']:.0f}", f"{took['p95']:.0f}"]))
    return table


def identify_table(rows: Sequence[Row]) -> Table:
    """How long whole commands took."""
    table = _table("identify, the whole command", ["pictures"], ["seconds", "p95", "times"])
    for row in rows:
        took = row["seconds"]
        table.add_row(*_texts([row["pictures"], f"{took['p50']:.2f}", f"{took['p95']:.2f}", took["n"]]))
    return table


def stages_headline(found: Row) -> list[str]:
    """What a decision costs."""
    one = found["decision"]
    return [
        f"{found['bundle']}, {found['engine']}: a decision that looks at {one['looked_at']:g} of {one['views']} views"
        f" takes {one['cpu']:.0f} ms of one core ({one['ms']:.0f} ms with {one['threads']} threads), an alarm"
        f" {one['alarm']:.0f} ms more"
    ]


def time_table(found: Row) -> Table:
    """How long a wrong name stood over a face, clip by clip and in all."""
    table = _table(
        "A wrong name shown as current", ["clip", "faces", "mode"], ["wrong s", "right s", "alarm s", "of s"]
    )
    for row in found["clips"]:
        seconds = [f"{row[key]:.2f}" for key in ("wrong_seconds", "right_seconds", "alarm_seconds", "seconds")]
        table.add_row(*_texts([row["clip"], row["faces"], row["mode"], *seconds]))
    for mode, all_of in found["wrong_seconds"].items():
        words = f"p50 {all_of['p50']:.2f}, p95 {all_of['p95']:.2f}, worst {all_of['worst']:.2f}"
        table.add_row(*_texts([f"{all_of['n']} clips", "", mode, words, "", "", ""]))
    return table


def detect_table(rows: Sequence[Row]) -> Table:
    """Detectors by number of faces and smallest face."""
    table = _table(
        "Finding faces in 640 x 480",
        ["smallest face", "faces", "detector"],
        ["ms", "p95", "x torch", "found", "px off"],
    )
    for row in rows:
        off = "" if row["landmarks_px"] is None else f"{row['landmarks_px']:.3g}"
        start = [row["min_face"], row["faces"], row["detector"], f"{row['ms']['p50']:.1f}", f"{row['ms']['p95']:.1f}"]
        table.add_row(*_texts([*start, _ratio(row["ratio"]), f"{row['faces_found']:g}", off]))
    return table


def people_table(rows: Sequence[Row]) -> Table:
    """A change of the people."""
    table = _table(
        "Adding one person, seconds",
        ["pictures", "people before"],
        ["whole command", "p95", "until a run knows them", "p95"],
    )
    for row in rows:
        both = (row["whole_command_seconds"], row["until_a_run_knows_them_seconds"])
        figures = [f"{one[key]:.2f}" for one in both for key in ("p50", "p95")]
        table.add_row(*_texts([row["pictures"], row["people_before"], *figures]))
    return table


def profile_table(rows: Sequence[Row]) -> Table:
    """What limits a pass."""
    table = _table(
        "Where the time of a pass goes (float32, ONNX Runtime)",
        ["size", "pass", "ops by share of the time"],
        ["ms", "GFLOP", "GFLOP/s", "of a matrix product's"],
    )
    for row in rows:
        ops = ", ".join(f"{op} {100 * share:.0f} %" for op, share in row["ops"].items() if share >= 0.01)
        figures = [f"{row['ms']:.1f}", row["gflop"], f"{row['gflops']:.0f}", f"{100 * row['share_of_peak']:.0f} %"]
        table.add_row(*_texts([row["size"], row["graph"], ops, *figures]))
    return table


def live_table(rows: Sequence[Row]) -> Table:
    """Live runs, one row each."""
    table = _table(
        "Live (ages in milliseconds)",
        ["faces", "cameras"],
        [
            "shown/s",
            "decisions/s",
            "per face",
            "full",
            "frame p50",
            "p95",
            "p99",
            "verdict p50",
            "p95",
            "CPU %",
            "RSS MB",
        ],
    )
    for row in rows:
        age, verdict = row["frame_age_ms"], row["verdict_age_ms"]
        figures = [
            f"{row['displayed_fps_lowest']:.1f}",
            f"{row['decisions_per_second']:.1f}",
            f"{row['decisions_per_second_and_face']:.1f}",
            f"{row['full_decisions']}/{row['decisions']}",
            *(_whole(age[key]) for key in ("p50", "p95", "p99")),
            *(_whole(verdict[key]) for key in ("p50", "p95")),
            _whole(row["cpu_percent_of_a_core"]),
            _whole(row["rss_mb"]),
        ]
        table.add_row(*_texts([row["faces"], row["cameras"], *figures]))
    return table


def live_pictures(rows: Sequence[Row]) -> RenderableType:
    """The runs' table, a bar for each run's decisions, and how old the pictures of each were."""
    rates = _table("Decisions a second and face", ["faces", "cameras", ""], ["per second"])
    most = max((row["decisions_per_second_and_face"] for row in rows), default=0.0)
    for row in rows:
        rate = row["decisions_per_second_and_face"]
        rates.add_row(*_texts([row["faces"], row["cameras"], bar(rate, most, 40), f"{rate:.1f}"]))
    ages = [histogram(row["frame_age_classes"], f"{row['faces']} faces, {row['cameras']} cameras") for row in rows]
    return Group(live_table(rows), rates, *ages)


def soak_table(result: Row) -> Table:
    """What grew, or did not."""
    table = _table(f"Soak of {result['minutes']:g} minutes", ["what"], ["after warm-up", "at the end"])
    growth = result["growth"]
    for key, name in (
        ("rss_mb", "resident memory, MB"),
        ("threads", "threads"),
        ("files", "open files"),
        ("frame_age_p95_ms", "frame age p95, ms"),
    ):
        if key in growth:
            table.add_row(*_texts([name, *(f"{value:g}" for value in growth[key])]))
    table.add_row(*_texts(["reconnects", "", result["reconnects"]]))
    answer = {True: "yes", False: "NO", None: growth.get("why", "")}[growth["flat"]]
    table.add_row(*_texts(["flat", "", answer]))
    return table


def _table(title: str, words: Sequence[str], figures: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in figures:
        table.add_column(name, justify="right")
    return table


def _texts(values: Sequence[Any]) -> list[Text]:
    return [Text(str(value)) for value in values]


def _ratio(ratio: Mapping[str, float]) -> str:
    return f"{ratio['p50']:.2f} ±{(ratio['p75'] - ratio['p25']) / 2:.2f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"

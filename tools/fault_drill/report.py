"""The drill's results as tables: for the terminal and for the README."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from realtime.settings.config import CameraConfig
from tools.fault_drill.drill import LIVE_WITHIN, NOTICED_WITHIN, Result
from tools.fault_drill.isolation import LEAST_RATE, MOST_AGE, Healthy, Isolation

_HEADS = ("fault", "what the user sees", "noticed after", "cause named after", "live again after", "pictures lost")


def _row(result: Result) -> tuple[str, ...]:
    back = _seconds(result.live_again) if result.comes_back else "-"
    if result.comes_back and result.back_off is not None:
        back += f" (back-off {result.back_off:.2f} s)"
    seen = ", ".join(result.sees)
    return result.fault, seen, _seconds(result.noticed), _seconds(result.named), back, str(result.lost)


def drill_table(results: Sequence[Result]) -> Table:
    """For the terminal."""
    table = Table(title="When cameras fail", title_justify="left")
    for head in (*_HEADS, "camera beside it", "target"):
        table.add_column(head)
    for result in results:
        beside = f"{100 * result.beside_rate:.0f} % of its rate"
        table.add_row(*(Text(cell) for cell in (*_row(result), beside, "met" if result.on_target else "missed")))
    return table


def drill_markdown(results: Sequence[Result], config: CameraConfig) -> str:
    """For the README, with what the figures stand on."""
    lines = [_line(_HEADS), _line(["---"] * len(_HEADS)), *(_line(_row(result)) for result in results)]
    gap, rate = max(one.beside_gap for one in results), min(one.beside_rate for one in results)
    damaged = sum(result.damaged_shown for result in results)
    missed = [result.fault for result in results if not result.on_target]
    lines += [
        "",
        f"Time-outs: open {config.open_timeout:g} s, read {config.read_timeout:g} s; a picture older than "
        f"{config.max_frame_age:g} s is shown as stale. Targets: noticed within {NOTICED_WITHIN:g} s, live again "
        f"within {LIVE_WITHIN:g} s and one back-off step, no damaged picture shown (shown: {damaged}), a sound camera "
        f"beside it undisturbed (always live, at least {100 * min(rate, 1):.1f} % of its rate, longest gap "
        f"{1e3 * gap:.0f} ms): {'missed by: ' + '; '.join(missed) if missed else 'all met'}. *Noticed*: no longer "
        "shown as live, or dropped pictures counted, or the new rate or size shown. *Live again*: from the end of the "
        "cause to the first good picture. *Lost*: pictures that were due until then and did not come.",
    ]
    return "\n".join(lines) + "\n"


def isolation_table(found: Isolation) -> Table:
    """For the terminal."""
    table = Table(title="A healthy camera beside three that fail", title_justify="left")
    for head in _ISOLATION_HEADS:
        table.add_column(head, justify="right")
    for row in _isolation_rows(found):
        table.add_row(*row)
    return table


def isolation_markdown(found: Isolation) -> str:
    """For the README."""
    heads = _ISOLATION_HEADS
    lines = [_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in _isolation_rows(found))]
    lines += [
        "",
        f"One camera of four hangs, one flaps every five seconds, one sends garbage; detection and recognition run "
        f"({found.decisions} decisions). The healthy one keeps {100 * found.rate:.1f} % of its rate and "
        f"{100 * found.age:.0f} % of its frame age p95 (targets: at least {100 * LEAST_RATE:.0f} %, at most "
        f"{100 * MOST_AGE:.0f} %): {'met' if found.on_target else 'missed'}.",
    ]
    return "\n".join(lines) + "\n"


_ISOLATION_HEADS = ("the healthy camera", "pictures per second", "frame age p50", "frame age p95", "longest gap")


def _isolation_rows(found: Isolation) -> list[tuple[str, ...]]:
    def row(name: str, one: Healthy) -> tuple[str, ...]:
        return name, f"{one.fps:.2f}", *(f"{value:.1f} ms" for value in (one.age_p50, one.age_p95, one.longest_gap))

    return [row("alone", found.alone), row("beside three that fail", found.beside_faults)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return "at once" if value < 0.005 else f"{value:.2f} s"

"""One table, written as Markdown or HTML, and a figure as its cell."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from tools.common.report import Proportion
from tools.evaluation.figures import AttackFigures, Mean

Figure = Proportion | Mean | None


@dataclass(frozen=True)
class Table:
    """A title, a line on what is counted, and cells."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", self.note, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|---" * len(self.columns) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)

    def html(self) -> str:
        def cells(row: Sequence[str], kind: str) -> str:
            return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row) + "</tr>"

        body = "".join(cells(row, "td") for row in self.rows)
        head = f"<h2>{html.escape(self.title)}</h2><p>{html.escape(self.note)}</p>"
        table = f"<table><thead>{cells(self.columns, 'th')}</thead><tbody>{body}</tbody></table>"
        name = html.escape(self.title, quote=True)
        return f"{head}<div class=wide tabindex=0 role=region aria-label='{name}'>{table}</div>"


def shown(figure: Figure) -> str:
    """``12 of 24: 50.0 % (31-69)``; a mean as ``0.123 (0.1-0.2, n 24)``; blank where there is none."""
    if figure is None:
        return ""
    if "mean" in figure:
        return _mean(cast(Mean, figure))
    share, low, high = figure["share"], figure["low"], figure["high"]
    if share is None:
        return ""
    if low is None or high is None:
        return f"{100 * share:.1f} % (n unknown)"
    return f"{figure['right']} of {figure['n']}: {100 * share:.1f} % ({100 * low:.0f}-{100 * high:.0f})"


def _mean(figure: Mean) -> str:
    if figure["mean"] is None:
        return ""
    if figure["low"] is None:
        return f"{figure['mean']:.3f} (n {figure['n']})"
    return f"{figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}, n {figure['n']})"


def shown_of(figures: Mapping[str, object], keys: Iterable[str]) -> list[str]:
    """A cell for each of these figures."""
    return [shown(cast(Figure, figures[key])) for key in keys]


def goodness_shown(measured: AttackFigures) -> str:
    """An attack's goodness with its interval; blank where there is none."""
    interval = measured["goodness_interval"]
    return "" if interval is None else f"{measured['goodness']:.4f} ({interval['low']:.3f}-{interval['high']:.3f})"

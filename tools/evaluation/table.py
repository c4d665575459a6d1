"""One table, written as Markdown or HTML, and a figure as its cell."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]


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
        return f"{head}<div class=wide>{table}</div>"


def shown(figure: Figures | None) -> str:
    """``12 of 24: 50.0 % (31-69)``; a mean as ``0.123 (0.1-0.2, n 24)``; blank where there is none."""
    if figure is None or not figure.get("n"):
        return "" if figure is None or figure.get("share") is None else f"{100 * figure['share']:.1f} % (n unknown)"
    if "mean" in figure:
        if figure["low"] is None:
            return f"{figure['mean']:.3f} (n {figure['n']})"
        return f"{figure['mean']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}, n {figure['n']})"
    low, high = 100 * figure["low"], 100 * figure["high"]
    return f"{figure['right']} of {figure['n']}: {100 * figure['share']:.1f} % ({low:.0f}-{high:.0f})"


def goodness_shown(measured: Figures) -> str:
    """An attack's goodness with its interval; blank where there is none."""
    interval = measured["goodness_interval"]
    return "" if interval is None else f"{measured['goodness']:.4f} ({interval['low']:.3f}-{interval['high']:.3f})"

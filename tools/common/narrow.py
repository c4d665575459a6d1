"""Markdown as a terminal can show it: tables in aligned columns, or where these do not fit, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def narrow(markdown: str, width: int) -> str:
    """``markdown`` with its tables no wider than ``width``; a cell that is wider still stays whole."""
    parts: list[str] = []
    for is_table, group in groupby(markdown.splitlines(), key=lambda line: line.startswith("|")):
        lines = list(group)
        parts += _table([_cells(line) for line in lines], width) if is_table else lines
    return "\n".join(parts)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    head, body = rows[0], [row for row in rows[1:] if any(cell.strip("-:") for cell in row)]
    widths = [max(len(row[place]) for row in (head, *body)) for place in range(len(head))]
    if sum(widths) + 2 * (len(widths) - 1) <= width:
        aligned = ["  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)) for row in (head, *body)]
        return [line.rstrip() for line in aligned]
    lines: list[str] = []
    for row in body:
        lines.append(row[0] or "-")
        lines += [f"  {name}: {cell}" for name, cell in zip(head[1:], row[1:], strict=True) if cell]
    return lines

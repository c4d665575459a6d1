"""Moments as people give them: an hour ago, today, a date, a date with a time."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Annotated

import typer

from models.errors import BadInput

Since = Annotated[
    str | None, typer.Option(help="A moment: 30m, 2h, 3d (ago), today, 2026-11-30, 2026-11-30T08:15.", metavar="WHEN")
]
_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment_of(text: str, now: float | None = None) -> float:
    """Seconds since the epoch; a time without a zone is this computer's.

    Raises:
        BadInput: it is no moment.
    """
    now = time.time() if now is None else now
    given = text.strip().lower()
    if found := _AGO.fullmatch(given):
        return now - float(found[1]) * _UNITS[found[2]]
    if given == "now":
        return now
    if given == "today":
        midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.timestamp()
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadInput(f"{text!r} is no moment; give 2h, 3d, today, 2026-11-30 or 2026-11-30T08:15") from None

"""Events as files for other programs: JSON Lines (everything) and CSV (one flat row each)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from models.errors import BadInput
from realtime.outputs.events import evidence_files
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import PICTURES, Event, EventFilter
from realtime.system.command_line import whole_file

FORMATS = ("jsonl", "csv")
_COLUMNS = (
    *("id", "key", "kind", "text", "camera", "track_id", "other_track_id", "time", "identity", "claimed", "likely"),
    *("confidence", "raw_probability", "view_probability", "reason", "dissent", "acknowledged"),
    *("last_seen", "ended", "looks", "clip_at", "note"),
)


def export(store: EventStore, path: Path, fmt: str, wanted: EventFilter | None = None) -> int:
    """Write the matching events, oldest first, whole or not at all; gives how many. Raises ``BadInput``.

    Only the owner can read the file. ``limit`` of the filter is ignored.
    """
    if fmt not in FORMATS:
        raise BadInput(f"export: there is no format {fmt}; choose one of {', '.join(FORMATS)}")
    with whole_file(path, permissions=0o600) as raw, TextIOWrapper(raw, encoding="utf-8", newline="") as file:
        return write(store, file, fmt, wanted)


def write(store: EventStore, file: TextIO, fmt: str, wanted: EventFilter | None = None) -> int:
    """Write the matching events to an open file."""
    count = 0
    if fmt == "csv":
        table = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
        table.writeheader()
    for event in _all(store, wanted if wanted is not None else EventFilter()):
        count += 1
        if fmt == "csv":
            table.writerow({name: _harmless(value) for name, value in event.as_dict(probabilities=False).items()})
        else:
            file.write(json.dumps({**event.as_dict(), "files": _files(event)}, ensure_ascii=False) + "\n")
    return count


def _all(store: EventStore, wanted: EventFilter) -> Iterator[Event]:
    last = wanted.after_id if wanted.after_id is not None else 0
    while page := store.query(replace(wanted, after_id=last, limit=200)):
        yield from page
        last = page[-1].id


def _files(event: Event) -> dict[str, str]:
    folder = evidence_files.folder_of(Path("evidence"), event.key)
    return {name: (folder / PICTURES[name]).as_posix() for name in event.pictures}


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula becomes plain text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value

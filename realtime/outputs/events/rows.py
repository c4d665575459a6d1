"""The tables of the event log, and how an event becomes a row and a row an event."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.arrays import Floats
from realtime.outputs.events.types import PICTURES, Event, EventFilter, PendingEvent

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, camera TEXT NOT NULL,
    track_id INTEGER NOT NULL, other_track_id INTEGER, wall_time REAL NOT NULL,
    identity TEXT, claimed TEXT, likely TEXT,
    confidence REAL NOT NULL, raw_confidence REAL, defended_confidence REAL,
    reason TEXT NOT NULL, dissent TEXT, box TEXT NOT NULL, probabilities TEXT,
    bytes INTEGER NOT NULL, acknowledged_at REAL, kept_since REAL,
    last_seen REAL, ended_at REAL, looks INTEGER, note TEXT, clip_at REAL);
CREATE INDEX IF NOT EXISTS events_by_time ON events (wall_time);
CREATE TABLE IF NOT EXISTS pictures (
    event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (event_id, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS people (
    event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (event_id, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    target TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS clock (
    id INTEGER PRIMARY KEY CHECK (id = 1), proven REAL NOT NULL, on_trial REAL, tried REAL NOT NULL);
CREATE TABLE IF NOT EXISTS erasing (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, name TEXT, overwrite INTEGER NOT NULL);
"""
VERSION = 3
#: Columns that logs of version 2 lack.
ADDED_IN_3 = {"last_seen": "REAL", "ended_at": "REAL", "looks": "INTEGER", "note": "TEXT", "clip_at": "REAL"}
_NAMES = (
    *("id", "key", "kind", "camera", "track_id", "other_track_id", "wall_time", "identity", "claimed", "likely"),
    *("confidence", "raw_confidence", "defended_confidence", "reason", "dissent", "acknowledged_at"),
    *ADDED_IN_3,
)
_SET_LATER = {"id", "acknowledged_at", "last_seen", "ended_at", "looks", "note"}
_COLUMNS_WRITTEN = ({*_NAMES} - _SET_LATER) | {"box", "probabilities", "bytes", "kept_since"}
#: The columns that are written with an event.
WRITTEN = tuple(sorted(_COLUMNS_WRITTEN))
PICTURES_OF = "(SELECT group_concat(name) FROM pictures WHERE event_id = events.id)"
#: What ``event_of`` reads.
COLUMNS = f"{', '.join(_NAMES)}, box, probabilities, {PICTURES_OF}"


def columns_of(connection: sqlite3.Connection) -> str:
    """``COLUMNS`` of a log that is only read, and may be of the version before."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(events)")}
    names = [name if name in there else f"NULL AS {name}" for name in _NAMES]
    return f"{', '.join(names)}, box, probabilities, {PICTURES_OF}"


@dataclass(frozen=True)
class Row:
    """An event that is ready to be stored: ``values`` of the columns, and what stands in the other tables.

    It can wait in a file, see ``text`` and ``row_of``.
    """

    values: Mapping[str, Any]
    pictures: Sequence[str]
    people: Sequence[str]
    deliver_to: Sequence[str]

    @property
    def key(self) -> str:
        """The event's."""
        return str(self.values["key"])

    def text(self) -> str:
        """The row as a line for a file."""
        return json.dumps(asdict(self))

    def insert(self, connection: sqlite3.Connection) -> int:
        """Write the row, its pictures' names, its people and one outbox entry for every target; gives its number."""
        marks = ", ".join(f":{column}" for column in self.values)
        sql = f"INSERT INTO events ({', '.join(self.values)}) VALUES ({marks})"
        number = connection.execute(sql, dict(self.values)).lastrowid
        assert number is not None
        connection.executemany("INSERT INTO pictures VALUES (?, ?)", [(number, name) for name in self.pictures])
        connection.executemany("INSERT INTO people VALUES (?, ?)", [(number, name) for name in self.people])
        connection.executemany(
            "INSERT INTO outbox (event_id, target, created_at) VALUES (?, ?, ?)",
            [(number, target, self.values["kept_since"]) for target in self.deliver_to],
        )
        return number


def row_of(text: str) -> Row:
    """The row in a line that ``Row.text`` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError`` for another."""
    row = Row(**json.loads(text))
    if set(row.values) | {"clip_at"} != _COLUMNS_WRITTEN:  # version 2 wrote none
        raise ValueError("not the columns of an event")
    return row


def new_row(
    key: str, size: int, event: PendingEvent, pictures: Sequence[str], deliver_to: Sequence[str], kept_since: float
) -> Row:
    """The row of an event whose pictures are in folder ``key`` and take ``size`` bytes."""
    verdict = event.subject.verdict
    assert verdict is not None  # only verdicts become events
    evidence = verdict.evidence
    probabilities = None
    if evidence is not None:
        probabilities = {
            "labels": list(evidence.labels),
            "raw": _rounded(evidence.raw),
            "masked": _rounded(evidence.defended) if evidence.explained else None,
            "zones": list(evidence.zones),
            "views": [
                _rounded(view) if looked else None for view, looked in zip(evidence.views, evidence.looked, strict=True)
            ],
        }
    height, width = event.bgr.shape[:2]
    box = [round(float(v) / s, 5) for v, s in zip(event.subject.track.face.box, (width, height) * 2, strict=True)]
    values = {
        "key": key,
        "kind": event.kind,
        "camera": event.camera,
        "track_id": event.subject.track.track_id,
        "other_track_id": event.other.track.track_id if event.other is not None else None,
        "wall_time": event.wall_time,
        "identity": verdict.identity,
        "claimed": verdict.claimed,
        "likely": verdict.likely,
        "confidence": float(verdict.confidence),
        "raw_confidence": _number(verdict.raw_probability),
        "defended_confidence": _number(verdict.view_probability),
        "reason": verdict.reason,
        "dissent": verdict.dissent,
        "box": json.dumps(box),
        "probabilities": json.dumps(probabilities) if probabilities is not None else None,
        "clip_at": event.clip_at,
        "bytes": size,
        "kept_since": kept_since,
    }
    return Row(values, list(pictures), sorted(event.people), list(deliver_to))


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _rounded(probabilities: Floats) -> list[float]:
    return [round(float(p), 6) for p in probabilities]


def event_of(row: Sequence[Any]) -> Event:
    """The event in a row of ``COLUMNS``."""
    *values, box, probabilities, pictures = row
    names = set((pictures or "").split(","))
    plain: dict[str, Any] = dict(zip(_NAMES, values, strict=True))
    plain["raw_probability"], plain["view_probability"] = plain.pop("raw_confidence"), plain.pop("defended_confidence")
    plain["looks"], plain["note"] = plain["looks"] or 1, plain["note"] or ""
    return Event(
        **plain,
        box=tuple(json.loads(box)),
        probabilities=_probabilities(probabilities),
        pictures=tuple(name for name in PICTURES if name in names),
    )


def _probabilities(text: str | None) -> dict[str, Any] | None:
    """What was stored of an event's probabilities; one of an earlier version called the masked view defended."""
    found: dict[str, Any] | None = json.loads(text) if text else None
    if found is not None and "defended" in found:
        found["masked"] = found.pop("defended")
    return found


def conditions(wanted: EventFilter) -> tuple[str, list[Any]]:
    """What stands after WHERE for a filter, and the values of its question marks."""
    parts: list[str] = ["1"]
    values: list[Any] = []

    def demand(condition: str, *given: Any) -> None:
        parts.append(condition)
        values.extend(given)

    if wanted.kinds is not None:
        demand(f"kind IN ({','.join('?' * len(wanted.kinds))})", *sorted(wanted.kinds))
    if wanted.camera is not None:
        demand("camera = ?", wanted.camera)
    if wanted.person is not None:
        demand("? IN (identity, claimed, likely)", wanted.person)
    if wanted.since is not None:
        demand("wall_time >= ?", wanted.since)
    if wanted.until is not None:
        demand("wall_time <= ?", wanted.until)
    if wanted.acknowledged is not None:
        demand(f"acknowledged_at IS {'NOT ' if wanted.acknowledged else ''}NULL")
    if wanted.before_id is not None:
        demand("id < ?", wanted.before_id)
    if wanted.after_id is not None:
        demand("id > ?", wanted.after_id)
    return " AND ".join(parts), values

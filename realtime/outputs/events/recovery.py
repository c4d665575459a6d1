"""What is done when an event log is opened by its owner: a crash's leftovers, an older database, a move of folders.

Nothing is erased here but what somebody had asked to have erased and a crash interrupted.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence, Set
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from models.errors import BadInput
from realtime.outputs.events import evidence_files
from realtime.outputs.events.clock import NEVER_SET_BEFORE, ProvenClock
from realtime.outputs.events.rows import ADDED_IN_3, PICTURES_OF, VERSION
from realtime.outputs.events.waiting import Waiting

_log = logging.getLogger(__name__)


class Opened(Protocol):
    """What is needed of the event log that is being opened, ``store.EventStore``."""

    folder: Path
    pictures: Path
    aside: Path
    waiting: Waiting

    def land(self) -> Sequence[object]: ...

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def finish_erasing(self) -> None: ...

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]: ...


def check_version(connection: sqlite3.Connection, folder: Path) -> None:
    """Raises ``BadInput`` where a newer program has written the log."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise BadInput(f"{folder}: the event log was written by a newer version; update this program")


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Give a log of an earlier version what this one writes: the time by which its events grow old, their lives."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if "kept_since" not in {row[1] for row in connection.execute("PRAGMA table_info(events)")}:
            connection.execute("ALTER TABLE events ADD COLUMN kept_since REAL")
            ((newest,),) = connection.execute("SELECT max(wall_time) FROM events")
            # A clock ahead of now, or before this program was written, was wrong: it says nothing of an event's age.
            proven = min(newest, time.time()) if newest is not None and newest >= NEVER_SET_BEFORE else time.time()
            connection.execute(
                "UPDATE events SET kept_since = CASE WHEN wall_time < ? THEN ? ELSE min(wall_time, ?) END",
                (NEVER_SET_BEFORE, proven, proven),
            )
            if newest is not None:
                connection.execute("INSERT INTO clock VALUES (1, ?, NULL, 0)", (proven,))
        there = {row[1] for row in connection.execute("PRAGMA table_info(events)")}
        for column, kind in ADDED_IN_3.items():
            if column not in there:
                connection.execute(f"ALTER TABLE events ADD COLUMN {column} {kind}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def stored_clock(connection: sqlite3.Connection) -> ProvenClock:
    """The log's clock as it was when the log was last written; a new log believes the system's."""
    found = connection.execute("SELECT proven, on_trial, tried FROM clock").fetchone()
    if found is None:
        found = (time.time(), None, 0.0)
        connection.execute("INSERT INTO clock VALUES (1, ?, ?, ?)", found)
    return ProvenClock(*found)


def refuse_evidence_without_rows(store: Opened, at_most: int) -> None:
    """Lest the pictures of a database that is gone be taken for leftovers of a crash. Raises ``BadInput``."""
    found = len(evidence_files.event_folders(store.pictures))
    if found > at_most:
        raise BadInput(
            f"{store.folder}: evidence/ holds the pictures of {found} events, and events.sqlite speaks of none; "
            "put their database back, or give another folder"
        )


def recover(store: Opened) -> int:
    """Bring rows and pictures in line; gives how many folders were set aside. Raises ``BadInput``."""
    store.land()
    if not store.rows("SELECT 1 FROM sqlite_sequence WHERE name = 'events'"):  # not one event was ever committed
        refuse_evidence_without_rows(store, at_most=1)  # a crash leaves the pictures of the one being written
    store.finish_erasing()
    with store.transaction() as connection:  # what went on when the program was killed
        connection.execute("UPDATE events SET ended_at = coalesce(last_seen, wall_time) WHERE ended_at IS NULL")
    rows = store.rows(f"SELECT key, {PICTURES_OF} FROM events")
    spoken_of = {key: frozenset((names or "").split(",")) - {""} for key, names in rows}
    aside = evidence_files.event_folders(store.aside)
    pictured = sum(bool(names) for key, names in spoken_of.items() if key not in aside)
    if pictured and not evidence_files.event_folders(store.pictures):  # moved away, or not mounted yet
        raise BadInput(
            f"{store.folder}: events.sqlite speaks of the pictures of {pictured} events, and evidence/ holds none; "
            "put them back, or give another folder"
        )
    evidence_files.bring_home(store.aside, store.pictures)
    spoken_of |= {row.key: frozenset(row.pictures) for row in store.waiting.rows()}
    swept = evidence_files.sweep(store.pictures, spoken_of)
    for key, names in swept.missing.items():
        _log.warning("event %s has lost its pictures: %s", key, ", ".join(sorted(names)))
        _note(
            store,
            "DELETE FROM pictures WHERE event_id = (SELECT id FROM events WHERE key = ?) AND name = ?",
            key,
            names,
        )
    for key, names in swept.unspoken.items():
        _note(
            store, "INSERT OR IGNORE INTO pictures SELECT id, ? FROM events WHERE key = ?", key, names, name_first=True
        )
    if swept.set_aside:
        lost = store.pictures / evidence_files.LOST_AND_FOUND
        _log.warning(
            "%s: %d folders of pictures that no event speaks of were set aside there, from an interrupted run or "
            "because events.sqlite is an older one; put the newer one back and they return",
            lost,
            swept.set_aside,
        )
    return swept.set_aside


def _note(store: Opened, sql: str, key: str, names: Set[str], *, name_first: bool = False) -> None:
    with store.transaction() as connection:
        connection.executemany(sql, [(name, key) if name_first else (key, name) for name in names])

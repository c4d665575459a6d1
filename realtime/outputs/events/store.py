"""The rows of the event log: SQLite in WAL mode beside the folder of evidence pictures.

Invariants, also after ``kill -9`` at any moment and the recovery at the next start: every picture that a row
speaks of has its file, and every file has its row. They hold because files are complete before their row is
committed, and rows are gone before their files are removed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import BadInput
from realtime.outputs.events import evidence_files
from realtime.outputs.events.rows import COLUMNS, PICTURES_OF, SCHEMA, conditions, event_of, insert
from realtime.outputs.events.types import PICTURES, Event, EventFilter, PendingEvent

_log = logging.getLogger(__name__)
_VERSION = 1


class EventStore:
    """Events on disk, for one writing process and any number of reading ones. Safe to share between threads.

    ``owner``: this process writes events; it takes the folder's lock and mends what a crash left behind. Without
    it the store can be read, acknowledged and pruned while another process writes. Raises ``BadInput`` where the
    folder cannot be used or belongs to another writer.
    """

    def __init__(self, folder: Path, *, owner: bool = True) -> None:
        self.folder = folder
        self.pictures = folder / "evidence"
        self.lock = threading.RLock()
        self.recovered = 0
        if not owner and not (folder / "events.sqlite").is_file():
            raise BadInput(f"{folder}: there is no event log here; give the folder that a run writes its events to")
        with contextlib.ExitStack() as opened:
            try:
                self._open(owner, opened)
            except sqlite3.DatabaseError as error:
                raise unusable(folder, error) from None
            except OSError as error:
                raise BadInput(f"{folder}: {error.strerror}; give a folder that can be written to") from None
            self._opened = opened.pop_all()

    def _open(self, owner: bool, opened: contextlib.ExitStack) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.pictures.mkdir(mode=0o700, exist_ok=True)
        self.pictures.chmod(0o700)
        if owner:
            opened.callback(_take_lock(self.folder).close)
        database = self.folder / "events.sqlite"
        if not database.is_file() or database.stat().st_size == 0:
            self._refuse_evidence_without_rows(at_most=0)
        self._connection = _connect(database)
        opened.callback(self._connection.close)
        self._connection.executescript(SCHEMA)
        self._check_version()
        if owner:
            self._recover()

    def close(self) -> None:
        """Close the database and free the folder."""
        with self.lock:
            self._opened.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is committed together, or not at all."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.lock:
            return self._connection.execute(sql, values).fetchall()

    def add(self, event: PendingEvent, pictures: Mapping[str, bytes], deliver_to: Sequence[str] = ()) -> Event:
        """Write pictures, then the row, its people and one outbox entry for every target. Raises ``OSError``."""
        key = uuid.uuid4().hex
        size = evidence_files.write_folder(self.pictures, key, pictures) if pictures else 0
        try:
            with self.transaction() as connection:
                event_id = insert(connection, key, size, event)
                connection.executemany("INSERT INTO pictures VALUES (?, ?)", [(event_id, name) for name in pictures])
                connection.executemany("INSERT INTO people VALUES (?, ?)", [(event_id, n) for n in event.people])
                connection.executemany(
                    "INSERT INTO outbox (event_id, target, created_at) VALUES (?, ?, ?)",
                    [(event_id, target, time.time()) for target in deliver_to],
                )
        except sqlite3.Error as error:
            evidence_files.remove_folder(self.pictures, key)
            raise OSError(f"the event could not be stored: {error}") from error
        stored = self.get(event_id)
        assert stored is not None
        return stored

    def get(self, event_id: int) -> Event | None:
        """One event by number."""
        found = self.rows(f"SELECT {COLUMNS} FROM events WHERE id = ?", (event_id,))
        return event_of(found[0]) if found else None

    def query(self, wanted: EventFilter | None = None) -> list[Event]:
        """The newest events that match (the oldest first for ``after_id``), at most ``limit``."""
        wanted = wanted if wanted is not None else EventFilter()
        where, values = conditions(wanted)
        order = "ASC" if wanted.after_id is not None else "DESC"
        sql = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY id {order} LIMIT ?"
        return [event_of(row) for row in self.rows(sql, [*values, wanted.limit])]

    def picture_path(self, event_id: int, name: str) -> Path | None:
        """Where a picture lies, or None if there is no such event or picture."""
        sql = "SELECT key FROM events JOIN pictures ON event_id = id WHERE id = ? AND name = ?"
        found = self.rows(sql, (event_id, name))
        if not found or name not in PICTURES:
            return None
        return evidence_files.folder_of(self.pictures, found[0][0]) / PICTURES[name]

    def people(self) -> list[dict[str, Any]]:
        """Everybody an event names, with the number of events and the newest one's time."""
        sql = """SELECT name, count(*), max(wall_time), sum(kind = 'suspected_attack') FROM (
                   SELECT id, identity AS name, kind, wall_time FROM events UNION
                   SELECT id, claimed, kind, wall_time FROM events UNION
                   SELECT id, likely, kind, wall_time FROM events)
                 WHERE name IS NOT NULL GROUP BY name ORDER BY max(wall_time) DESC"""
        return [dict(zip(("name", "events", "last_seen", "attacks"), row, strict=True)) for row in self.rows(sql)]

    def acknowledge(self, event_id: int, now: float | None = None) -> Event | None:
        """Mark an event as seen by a person (the first time counts). None if there is no such event."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE events SET acknowledged_at = coalesce(acknowledged_at, ?) WHERE id = ?",
                (time.time() if now is None else now, event_id),
            )
        return self.get(event_id)

    def remove(self, event_ids: Sequence[int], *, overwrite: bool = False) -> int:
        """Delete events: first all rows, then their pictures. Gives how many there were."""
        marks = ",".join("?" * len(event_ids))
        keys = [key for (key,) in self.rows(f"SELECT key FROM events WHERE id IN ({marks})", event_ids)]
        with self.transaction() as connection:
            connection.execute(f"DELETE FROM events WHERE id IN ({marks})", event_ids)
        for key in keys:
            evidence_files.remove_folder(self.pictures, key, overwrite=overwrite)
        return len(keys)

    def _check_version(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise BadInput(f"{self.folder}: the event log was written by a newer version; update this program")
        self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _refuse_evidence_without_rows(self, at_most: int) -> None:
        """Lest the pictures of a database that is gone be taken for leftovers of a crash."""
        found = len(evidence_files.event_folders(self.pictures))
        if found > at_most:
            raise BadInput(
                f"{self.folder}: evidence/ holds the pictures of {found} events, and events.sqlite speaks of none; "
                "put their database back, or give another folder"
            )

    def _recover(self) -> None:
        if not self.rows("SELECT 1 FROM sqlite_sequence WHERE name = 'events'"):  # not one event was ever committed
            self._refuse_evidence_without_rows(at_most=1)  # a crash leaves the pictures of the one being written
        rows = self.rows(f"SELECT key, {PICTURES_OF} FROM events")
        wanted = {key: frozenset((names or "").split(",")) - {""} for key, names in rows}
        pictured = sum(bool(names) for names in wanted.values())
        if pictured and not evidence_files.event_folders(self.pictures):  # moved away, or not mounted yet
            raise BadInput(
                f"{self.folder}: events.sqlite speaks of the pictures of {pictured} events, and evidence/ holds none; "
                "put them back, or give another folder"
            )
        self.recovered, missing = evidence_files.sweep(self.pictures, wanted)
        for key, names in missing.items():
            _log.warning("event %s has lost its pictures: %s", key, ", ".join(sorted(names)))
            with self.transaction() as connection:
                connection.executemany(
                    "DELETE FROM pictures WHERE name = ? AND event_id = (SELECT id FROM events WHERE key = ?)",
                    [(name, key) for name in names],
                )
        if self.recovered:
            _log.info("event log: removed %d leftovers of an interrupted run", self.recovered)


def unusable(folder: Path, error: sqlite3.DatabaseError) -> BadInput:
    """What to say of a database that cannot be used: whether it is in use or damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extension
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BadInput(f"{folder}: another program holds events.sqlite locked; close that program")
    return BadInput(f"{folder}: the event log cannot be used ({error}); repair events.sqlite, or give another folder")


def _connect(path: Path) -> sqlite3.Connection:
    # SQLite gives its -wal and -shm files the permissions of the database, so this one has to be made first.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in an empty database only
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _take_lock(folder: Path) -> sqlite3.Connection:
    """An exclusive lock that ends with the process and works wherever SQLite does."""
    path = folder / "writer.lock"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    guard = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        guard.close()
        raise BadInput(f"{folder}: another running program writes its events here; give this one its own") from None
    return guard

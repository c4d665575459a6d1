"""The rows of the event log: SQLite in WAL mode beside the folder of evidence pictures.

Invariants, also after ``kill -9`` at any moment and the recovery at the next start: every picture that a row
speaks of has its file, and every file has its row or lies in ``evidence/lost+found/``. They hold because files are
complete before their row is committed, and what is to be erased is noted in the transaction that deletes its row.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import BadInput
from realtime.outputs.events import evidence_files, recovery
from realtime.outputs.events.database import (
    connect,
    connect_read_only,
    for_its_owner_only,
    take_lock,
    unusable,
    unusable_folder,
)
from realtime.outputs.events.rows import SCHEMA, WRITTEN, Row, columns_of, conditions, event_of, new_row
from realtime.outputs.events.types import PICTURES, Event, EventFilter, PendingEvent
from realtime.outputs.events.waiting import Waiting

_log = logging.getLogger(__name__)
_OPENING = 5.0  # seconds for another program to let go of the database
_PICTURES = "SELECT name FROM pictures WHERE event_id = ? ORDER BY name"
_PEOPLE = "SELECT name FROM people WHERE event_id = ? ORDER BY name"
_BUSY_MS = 1000  # the same while running: whoever asks the page waits as well


class EventStore:
    """Events on disk, for one writing process and any number of reading ones. Safe to share between threads.

    ``owner``: this process writes events; it takes the folder's lock and mends what a crash left behind. Without
    it the store can be read, acknowledged and pruned while another process writes; with ``write`` False it can be read
    only, also on a read-only disk or in somebody else's folder. Raises ``BadInput`` where the folder cannot be used or
    belongs to another writer.
    """

    def __init__(self, folder: Path, *, owner: bool = True, write: bool = True) -> None:
        self.folder = folder
        self.pictures = folder / "evidence"
        self.aside = folder / "waiting" / "evidence"  # where pictures go while that is away
        self.lock = threading.RLock()
        self.recovered = 0
        with contextlib.ExitStack() as opened:
            try:
                if not owner and not (folder / "events.sqlite").is_file():
                    raise BadInput(
                        f"{folder}: there is no event log here; give the folder that a run writes its events to"
                    )
                if write:
                    self._open(owner, opened)
                else:
                    self._connection = connect_read_only(folder / "events.sqlite", opened)
                    opened.callback(self._connection.close)
                    recovery.check_version(self._connection, folder)
                    self._columns = columns_of(self._connection)
            except sqlite3.DatabaseError as error:
                raise unusable(folder, error) from None
            except OSError as error:
                raise unusable_folder(folder, error) from None
            self._opened = opened.pop_all()

    def _open(self, owner: bool, opened: contextlib.ExitStack) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.pictures.mkdir(mode=0o700, exist_ok=True)
        for_its_owner_only(self.pictures, 0o700)
        if owner:
            opened.callback(take_lock(self.folder).close)
        database = self.folder / "events.sqlite"
        if not database.is_file() or database.stat().st_size == 0:
            recovery.refuse_evidence_without_rows(self, at_most=0)
        self._connection = connect(database, _OPENING)
        opened.callback(self._connection.close)
        recovery.check_version(self._connection, self.folder)
        self._connection.executescript(SCHEMA)
        self._database = os.stat(database)
        recovery.bring_up_to_date(self._connection)
        self._columns = columns_of(self._connection)
        self.clock = recovery.stored_clock(self._connection)
        self._ticked = time.monotonic()
        self.waiting = Waiting(self.folder / "waiting")
        if owner:
            self.recovered = recovery.recover(self)
            self.waiting.hold_room()
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")

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
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.lock:
            return self._connection.execute(sql, values).fetchall()

    def now(self) -> float:
        """The proven time, by which events grow old; seconds since the epoch."""
        return self.clock.proven + time.monotonic() - self._ticked

    def tick(self, step: float) -> None:
        """Look at the clocks, and keep what they say; ``step``: see ``ProvenClock``. Raises ``sqlite3.Error``."""
        with self.lock:
            now = time.monotonic()
            self.clock.step = step
            later = self.clock.tick(time.time(), now - self._ticked)
            self._ticked = now
            with self.transaction() as connection:
                if later:
                    connection.execute("UPDATE events SET kept_since = kept_since + ?", (later,))
                    connection.execute("UPDATE outbox SET created_at = created_at + ?", (later,))
                connection.execute(
                    "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)",
                    (self.clock.proven, self.clock.on_trial, self.clock.tried),
                )

    def add(self, event: PendingEvent, pictures: Mapping[str, bytes], deliver_to: Sequence[str] = ()) -> list[Event]:
        """Write pictures, then the row; gives the events whose rows are stored by now, oldest first.

        Where the pictures cannot be written the row goes without; where the row cannot, it waits, see ``land``. Raises
        ``OSError`` where it cannot even wait.
        """
        key, size = event.key, 0
        try:
            size = self._keep(key, pictures) if pictures else 0
        except OSError as error:
            _log.warning("%s: an event is kept without pictures: %s", self.pictures, error.strerror or error)
            pictures = {}
        with self.lock:
            row = new_row(key, size, event, [*pictures], deliver_to, self.now())
            if not self.waiting and not self._is_gone():
                with contextlib.suppress(sqlite3.Error):
                    return [self._insert(row)]
            if not self.waiting.add(row):
                raise OSError(f"{len(self.waiting)} events wait already")
            return self.land()

    def rows_after(self, number: int, limit: int) -> list[tuple[int, Row]]:
        """At most ``limit`` events that came after that one, oldest first, as another store can take them in."""
        found = []
        for event_id, *values in self.rows(
            f"SELECT id, {', '.join(WRITTEN)} FROM events WHERE id > ? ORDER BY id LIMIT ?", (number, limit)
        ):
            pictures, people = ([name for (name,) in self.rows(sql, (event_id,))] for sql in (_PICTURES, _PEOPLE))
            found.append((event_id, Row(dict(zip(WRITTEN, values, strict=True)), pictures, people, ())))
        return found

    def take_in(self, row: Row, pictures: Mapping[str, bytes], deliver_to: Sequence[str] = ()) -> Event | None:
        """Store another store's event under the same key; None where it is here already.

        It grows old from now on, by this store's clock. Raises ``OSError`` or ``sqlite3.Error`` where it cannot be
        stored; then it is as if it had not been tried.
        """
        with self.lock:
            if self.rows("SELECT 1 FROM events WHERE key = ?", (row.key,)):
                return None
            evidence_files.erase(self.pictures, row.key)  # of a try that was cut short
            size = evidence_files.write_folder(self.pictures, row.key, pictures) if pictures else 0
            values = {**row.values, "bytes": size, "kept_since": self.now()}
            return self._insert(Row(values, list(pictures), row.people, tuple(deliver_to)))

    def land(self) -> list[Event]:
        """Store the rows that wait, as far as that can be done now; gives their events."""
        landed: list[Event] = []
        with self.lock:
            if not self.waiting or self._is_gone():
                return landed
            try:
                self._connection.execute("PRAGMA busy_timeout = 0")  # the next try comes soon
                self.waiting.land(lambda row: landed.append(self._insert(row)))
            except (sqlite3.Error, OSError) as error:
                _log.debug("events wait: %s", error)
            finally:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        return landed

    def bring_home(self) -> None:
        """Move pictures that were kept aside while ``evidence/`` was away back there, as far as that can be done."""
        with contextlib.suppress(OSError):
            if evidence_files.bring_home(self.aside, self.pictures):
                _log.warning("%s: is back; the pictures that were kept aside are in it", self.pictures)

    def _keep(self, key: str, pictures: Mapping[str, bytes]) -> int:
        """Write an event's pictures; gives the bytes written."""
        if self.pictures.is_dir():
            return evidence_files.write_folder(self.pictures, key, pictures)
        if not self.aside.is_dir():
            _log.warning("%s: is away; put it back: pictures are kept in %s until then", self.pictures, self.aside)
            self.aside.parent.mkdir(mode=0o700, exist_ok=True)
            self.aside.mkdir(mode=0o700)
        return evidence_files.write_folder(self.aside, key, pictures)

    def _is_gone(self) -> bool:
        """Whether the database was taken out of its folder, or another put there: rows would be lost."""
        try:
            return not os.path.samestat(os.stat(self.folder / "events.sqlite"), self._database)
        except OSError:
            return self.folder.is_dir()

    def _insert(self, row: Row) -> Event:
        found = self.rows("SELECT id FROM events WHERE key = ?", (row.key,))  # stored, and then the program was killed
        if found:
            event_id = found[0][0]
        else:
            with self.transaction() as connection:
                event_id = row.insert(connection)
        stored = self.get(event_id)
        assert stored is not None
        return stored

    def get(self, event_id: int) -> Event | None:
        """One event by number."""
        found = self.rows(f"SELECT {self._columns} FROM events WHERE id = ?", (event_id,))
        return event_of(found[0]) if found else None

    def query(self, wanted: EventFilter | None = None) -> list[Event]:
        """The newest events that match (the oldest first for ``after_id``), at most ``limit``."""
        wanted = wanted if wanted is not None else EventFilter()
        where, values = conditions(wanted)
        order = "ASC" if wanted.after_id is not None else "DESC"
        sql = f"SELECT {self._columns} FROM events WHERE {where} ORDER BY id {order} LIMIT ?"
        return [event_of(row) for row in self.rows(sql, [*values, wanted.limit])]

    def picture_path(self, event_id: int, name: str) -> Path | None:
        """Where a picture lies, or None if there is no such event or picture."""
        sql = "SELECT key FROM events JOIN pictures ON event_id = id WHERE id = ? AND name = ?"
        found = self.rows(sql, (event_id, name))
        if not found or name not in PICTURES:
            return None
        paths = [evidence_files.folder_of(root, found[0][0]) / PICTURES[name] for root in (self.pictures, self.aside)]
        return next((path for path in paths if path.exists()), paths[0])

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
        with self.transaction() as connection:
            connection.execute(
                f"INSERT INTO erasing (key, overwrite) SELECT key, ? FROM events WHERE id IN ({marks})",
                (overwrite, *event_ids),
            )
            count = connection.execute(f"DELETE FROM events WHERE id IN ({marks})", event_ids).rowcount
        self.finish_erasing()
        return count

    def finish_erasing(self) -> None:
        """Erase the pictures that are to be: noted with their rows' deletion, so that a crash does not keep them."""
        for number, key, name, overwrite in self.rows("SELECT id, key, name, overwrite FROM erasing"):
            for root in (self.pictures, self.aside):
                evidence_files.erase(root, key, name, overwrite=bool(overwrite))
            with self.transaction() as connection:
                connection.execute("DELETE FROM erasing WHERE id = ?", (number,))

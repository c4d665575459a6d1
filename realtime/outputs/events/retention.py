"""How events leave: by age, by size, for want of disk, and everything about one person on demand."""

from __future__ import annotations

import json
import shutil
import time
from typing import Any

from realtime.outputs.events import evidence_files
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import PICTURES, EventSettings

_BATCH = 100
_DISPENSABLE_FIRST = """SELECT id, bytes FROM events WHERE bytes > 0
    ORDER BY kind IN ('suspected_attack', 'same_name_twice') AND acknowledged_at IS NULL, id LIMIT ?"""


def prune(store: EventStore, settings: EventSettings, now: float | None = None) -> int:
    """Remove what is too old, then the oldest until the size and the free disk are kept. Gives how many went.

    Where room is needed, attacks and shared names that nobody acknowledged go last: a crowd of strangers, made
    on purpose, must not push the evidence out. Events without pictures stay until they are too old: they free no room.
    """
    horizon = (time.time() if now is None else now) - settings.max_age_days * 86400
    removed = 0
    while old := [i for (i,) in store.rows("SELECT id FROM events WHERE wall_time < ? LIMIT ?", (horizon, _BATCH))]:
        removed += store.remove(old)
    removed += _free(store, _bytes_kept(store) - settings.max_bytes)
    removed += _free(store, settings.min_free_bytes - free_bytes(store))
    if removed:
        with store.lock:
            store.rows("PRAGMA incremental_vacuum")
            store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed


def free_bytes(store: EventStore) -> int:
    """Bytes that are left on the disk of the event log."""
    return shutil.disk_usage(store.folder).free


def forget_person(store: EventStore, name: str) -> int:
    """Delete everything about one person; gives the number of deleted events.

    Events that name the person (as identity, claimed or likely) go with all their pictures. From the others go
    the frames in which the person was seen as a bystander and the person's entry in the probability vectors.
    Bytes are overwritten and the database is rebuilt, so that nothing stays in free pages or the log.
    """
    ids = [i for (i,) in store.rows("SELECT id FROM events WHERE ? IN (identity, claimed, likely)", (name,))]
    deleted = 0
    for start in range(0, len(ids), _BATCH):
        deleted += store.remove(ids[start : start + _BATCH], overwrite=True)
    _forget_bystander(store, name)
    _forget_probabilities(store, name)
    with store.lock:
        store.rows("VACUUM")
        store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return deleted


def _forget_bystander(store: EventStore, name: str) -> None:
    seen = store.rows("SELECT id, key FROM events JOIN people ON event_id = id WHERE name = ?", (name,))
    with store.transaction() as connection:
        for event_id, _ in seen:
            connection.execute("DELETE FROM pictures WHERE event_id = ? AND name = 'frame'", (event_id,))
            connection.execute("DELETE FROM people WHERE event_id = ? AND name = ?", (event_id, name))
    for _, key in seen:
        file = evidence_files.folder_of(store.pictures, key) / PICTURES["frame"]
        evidence_files.overwrite_file(file)
        file.unlink(missing_ok=True)


def _forget_probabilities(store: EventStore, name: str) -> None:
    last = 0
    sql = "SELECT id, probabilities FROM events WHERE id > ? AND probabilities IS NOT NULL ORDER BY id LIMIT ?"
    while rows := store.rows(sql, (last, _BATCH)):
        last = rows[-1][0]
        with store.transaction() as connection:
            for event_id, text in rows:
                vectors = json.loads(text)
                kept = [i for i, label in enumerate(vectors["labels"]) if label != name]
                if len(kept) == len(vectors["labels"]):
                    continue
                without = json.dumps({key: _only(kept, key, values) for key, values in vectors.items()})
                connection.execute("UPDATE events SET probabilities = ? WHERE id = ?", (without, event_id))


def _only(kept: list[int], key: str, values: list[Any] | None) -> list[Any] | None:
    """An entry of an event's ``probabilities`` with the people at these places only."""
    if values is None or key == "zones":
        return values
    if key == "views":
        return [[view[i] for i in kept] for view in values]
    return [values[i] for i in kept]


def _bytes_kept(store: EventStore) -> int:
    return int(store.rows("SELECT coalesce(sum(bytes), 0) FROM events")[0][0])


def _free(store: EventStore, wanted: int) -> int:
    """Remove the most dispensable events until ``wanted`` bytes of pictures are gone."""
    removed = 0
    while wanted > 0 and (rows := store.rows(_DISPENSABLE_FIRST, (_BATCH,))):
        going = []
        for event_id, size in rows:
            if wanted <= 0:
                break
            going.append(event_id)
            wanted -= size
        removed += store.remove(going)
    return removed

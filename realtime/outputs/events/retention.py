"""How events leave: by age, by size, for want of disk, and everything about one person on demand."""

from __future__ import annotations

import json
import logging
import shutil
import unicodedata
from typing import Any

from realtime.outputs.events import evidence_files
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import EventSettings, Kind

_log = logging.getLogger(__name__)
_BATCH = 100
_MATTERS: tuple[Kind, ...] = ("suspected_attack", "same_name_twice")
#: of the room for pictures, kept for what matters: a crowd of strangers, made on purpose, must not use it up
_RESERVED = 0.2


def prune(store: EventStore, settings: EventSettings, now: float | None = None) -> int:
    """Delete events that are too old, and pictures of acknowledged events where room is needed; gives how many.

    ``now``: None is the store's proven time. Whatever is deleted is logged.
    """
    horizon = (store.now() if now is None else now) - settings.max_age_days * 86400
    removed = 0
    sql = "SELECT id, kind, acknowledged_at FROM events WHERE kept_since < ? ORDER BY id LIMIT ?"
    while old := store.rows(sql, (horizon, _BATCH)):
        open_ones = sum(kind in _MATTERS and acknowledged is None for _, kind, acknowledged in old)
        ids = [event_id for event_id, _, _ in old]
        removed += store.remove(ids)
        _log.warning(
            "%s: deleted %d events, numbers %d to %d, %d of them attacks or shared names that nobody acknowledged: "
            "older than %g days (max_age_days)",
            *(store.folder, len(ids), ids[0], ids[-1], open_ones, settings.max_age_days),
        )
    removed += make_room(store, settings)
    if removed:
        with store.lock:
            store.rows("PRAGMA incremental_vacuum")
            store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed


def make_room(store: EventStore, settings: EventSettings, size: int = 0) -> int:
    """Delete pictures of acknowledged events, the oldest first, until ``size`` more bytes fit; gives of how many.

    Rows stay, and so does everything that nobody has acknowledged: what fills the disk may be another program, and
    only a person can say what is dispensable.
    """
    too_much = _bytes_kept(store) + size - settings.max_bytes
    freed = _drop_pictures(store, too_much, "more than max_gigabytes")
    too_little = settings.min_free_bytes + size - free_bytes(store)
    return freed + _drop_pictures(store, too_little, "the disk has less than min_free_gigabytes left")


def has_room(store: EventStore, settings: EventSettings, kind: Kind, size: int) -> bool:
    """Whether the pictures of an event of this kind, of so many bytes, may be kept."""
    most = settings.max_bytes if kind in _MATTERS else settings.max_bytes * (1 - _RESERVED)
    return _bytes_kept(store) + size <= most and free_bytes(store) - size >= settings.min_free_bytes


def free_bytes(store: EventStore) -> int:
    """Bytes that are left on the disk of the event log."""
    return shutil.disk_usage(store.folder).free


def forget_person(store: EventStore, name: str) -> int:
    """Delete everything about one person; gives the number of deleted events.

    Events that name the person (as identity, claimed or likely) go with all their pictures. From the others go
    the frames and clips in which the person was seen as a bystander and the person's entry in the probability vectors.
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
    _log.warning("%s: deleted %d events about a person, because it was asked for", store.folder, deleted)
    return deleted


def count_about(store: EventStore, name: str) -> int:
    """How many events name this person, as identity, claimed or likely."""
    ((count,),) = store.rows("SELECT COUNT(*) FROM events WHERE ? IN (identity, claimed, likely)", (name,))
    return int(count)


def same_name(store: EventStore, name: str) -> list[str]:
    """The people in the events who are called ``name`` but for case, accents' form and spaces."""
    columns = ("SELECT identity FROM events", "SELECT claimed FROM events", "SELECT likely FROM events")
    rows = store.rows(" UNION ".join((*columns, "SELECT name FROM people")))
    return sorted(known for (known,) in rows if known is not None and _plain(known) == _plain(name))


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").casefold().split())


def set_aside(store: EventStore) -> int:
    """Folders of pictures in ``evidence/lost+found/``: nobody knows any more whom they show."""
    folder = store.pictures / evidence_files.LOST_AND_FOUND
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _forget_bystander(store: EventStore, name: str) -> None:
    seen = store.rows("SELECT id, key FROM events JOIN people ON event_id = id WHERE name = ?", (name,))
    with store.transaction() as connection:
        for event_id, key in seen:
            for shows_them in ("frame", "clip"):
                connection.execute("INSERT INTO erasing (key, name, overwrite) VALUES (?, ?, 1)", (key, shows_them))
                connection.execute("DELETE FROM pictures WHERE event_id = ? AND name = ?", (event_id, shows_them))
            connection.execute("DELETE FROM people WHERE event_id = ? AND name = ?", (event_id, name))
    store.finish_erasing()


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


def _drop_pictures(store: EventStore, wanted: int, why: str) -> int:
    """Delete pictures of acknowledged events until ``wanted`` bytes are free; gives of how many events."""
    dropped = 0
    sql = "SELECT id, key, bytes FROM events WHERE bytes > 0 AND acknowledged_at IS NOT NULL ORDER BY id LIMIT ?"
    while wanted > 0 and (rows := store.rows(sql, (_BATCH,))):
        going = []
        for event_id, key, size in rows:
            if wanted <= 0:
                break
            going.append((event_id, key))
            wanted -= size
        with store.transaction() as connection:
            for event_id, key in going:
                connection.execute("INSERT INTO erasing (key, overwrite) VALUES (?, 0)", (key,))
                connection.execute("DELETE FROM pictures WHERE event_id = ?", (event_id,))
                connection.execute("UPDATE events SET bytes = 0 WHERE id = ?", (event_id,))
        store.finish_erasing()
        dropped += len(going)
        _log.warning(
            "%s: deleted the pictures of %d acknowledged events, numbers %d to %d: %s",
            *(store.folder, len(going), going[0][0], going[-1][0], why),
        )
    return dropped

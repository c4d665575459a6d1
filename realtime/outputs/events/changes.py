"""What is changed of stored events: seen by somebody, a note, until when they went on, a clip that came later."""

from __future__ import annotations

import time
from collections.abc import Sequence

from realtime.outputs.events import evidence_files
from realtime.outputs.events.lives import Lived
from realtime.outputs.events.rows import conditions
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import EventFilter

LONGEST_NOTE = 2000  # characters


def acknowledge_all(store: EventStore, wanted: EventFilter, now: float | None = None) -> list[int]:
    """Mark all that match, and that nobody has seen yet, as seen; gives their numbers. ``limit`` is ignored."""
    where, values = conditions(wanted)
    with store.transaction() as connection:
        sql = f"SELECT id FROM events WHERE acknowledged_at IS NULL AND {where} ORDER BY id"
        found = [number for (number,) in connection.execute(sql, values)]
        moment = time.time() if now is None else now
        connection.executemany("UPDATE events SET acknowledged_at = ? WHERE id = ?", [(moment, one) for one in found])
    return found


def unacknowledge(store: EventStore, event_ids: Sequence[int]) -> list[int]:
    """Take it back; gives the numbers of those that were acknowledged."""
    with store.transaction() as connection:
        sql = "UPDATE events SET acknowledged_at = NULL WHERE id = ? AND acknowledged_at IS NOT NULL"
        return [one for one in event_ids if connection.execute(sql, (one,)).rowcount]


def undo_acknowledge(store: EventStore) -> list[int]:
    """Take the last acknowledgement back, of one event or of many at once; gives their numbers."""
    newest = "(SELECT max(acknowledged_at) FROM events)"
    return unacknowledge(
        store, [one for (one,) in store.rows(f"SELECT id FROM events WHERE acknowledged_at = {newest} ORDER BY id")]
    )


def note(store: EventStore, event_id: int, text: str) -> bool:
    """Write what somebody has to say of an event; "" erases it. False if there is no such event.

    Raises:
        ValueError: it is longer than ``LONGEST_NOTE``.
    """
    text = "".join(sign for sign in text.strip() if sign.isprintable() or sign == "\n")
    if len(text) > LONGEST_NOTE:
        raise ValueError(f"the note has {len(text)} characters, at most {LONGEST_NOTE} are kept")
    with store.transaction() as connection:
        return connection.execute("UPDATE events SET note = ? WHERE id = ?", (text or None, event_id)).rowcount > 0


def lived(store: EventStore, lives: Sequence[Lived], tell_ends: Sequence[str] = ()) -> None:
    """Note until when events went on; of those that are over every one of ``tell_ends`` gets an outbox entry."""
    now = store.now()
    with store.transaction() as connection:
        for life in lives:
            ended = life.last_seen if life.ended else None
            connection.execute(
                "UPDATE events SET last_seen = ?, looks = ?, ended_at = ? WHERE id = ?",
                (life.last_seen, life.looks, ended, life.event_id),
            )
            if life.ended:
                connection.executemany(
                    "INSERT INTO outbox (event_id, target, created_at) SELECT id, ?, ? FROM events WHERE id = ?",
                    [(target, now, life.event_id) for target in tell_ends],
                )


def add_clip(store: EventStore, event_id: int, content: bytes) -> bool:
    """Put a clip beside an event's pictures; False if the event is gone, or has no pictures. Raises ``OSError``."""
    found = store.rows("SELECT key FROM events WHERE id = ? AND bytes > 0", (event_id,))
    if not found:
        return False
    evidence_files.add_file(store.pictures, found[0][0], "clip", content)
    with store.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO pictures VALUES (?, 'clip')", (event_id,))
        connection.execute("UPDATE events SET bytes = bytes + ? WHERE id = ?", (len(content), event_id))
    return True

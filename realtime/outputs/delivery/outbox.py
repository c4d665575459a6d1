"""Sends every event to a target until it has arrived, also across restarts.

The entries are written in the same transaction as their event (``EventLog(deliver_to=...)``), so an event that is
stored is also going to be sent. A sender takes the oldest entry; where the target does not take it, the sender
waits longer and longer and tries the same one again, so that order is kept. Delivery is at least once: receivers
tell repetitions by the event's ``key``.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from realtime.outputs.delivery.delivery import Refused
from realtime.outputs.events.store import EventStore
from realtime.system.redact import redact

_log = logging.getLogger(__name__)


class OutboxSender:
    """One thread that empties the outbox of one target.

    Args:
        store: the event log's.
        target: the name given to ``EventLog(deliver_to=...)``.
        deliver: sends one event (a dict ready for JSON) within a few seconds; raises ``Refused`` to have it
            dropped, anything else to be called again.
        first_wait, longest_wait: seconds between attempts, doubling, with jitter.
        give_up_after: seconds after which an entry is dropped unsent.
    """

    def __init__(
        self,
        store: EventStore,
        target: str,
        deliver: Callable[[dict[str, Any]], None],
        *,
        first_wait: float = 1.0,
        longest_wait: float = 300.0,
        give_up_after: float = 7 * 86400.0,
        poll: float = 0.5,
    ) -> None:
        self._store, self.target, self._deliver = store, target, deliver
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._give_up_after, self._poll = give_up_after, poll
        self._counts: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{target}", daemon=True)

    def start(self) -> None:
        """Begin to send; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop; what is unsent stays in the outbox. Call it before the event log is closed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def waiting(self) -> int:
        """Entries not sent yet. Raises ``sqlite3.Error``."""
        return int(self._store.rows("SELECT count(*) FROM outbox WHERE target = ?", (self.target,))[0][0])

    def counts(self) -> dict[str, int]:
        """``sent``, ``failed`` attempts, ``refused`` and ``given_up`` entries."""
        return {key: self._counts[key] for key in ("sent", "failed", "refused", "given_up")}

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                outcome = self._send_oldest()
            except Exception as error:  # the database is busy or closing
                outcome = False
                _log.debug("outbox %s: %s", self.target, redact(str(error)))
            failures = failures + 1 if outcome is False else 0
            if outcome is not True:
                self._stopping.wait(self.wait_after(failures) if failures else self._poll)

    def wait_after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: doubling, at most the longest, minus up to a quarter."""
        longest = min(self._longest_wait, self._first_wait * 2.0 ** min(failures - 1, 30))
        return longest * random.uniform(0.75, 1.0)

    def _send_oldest(self) -> bool | None:
        """True: one entry less. False: it did not work. None: nothing to send."""
        sql = "SELECT id, event_id, created_at FROM outbox WHERE target = ? ORDER BY id LIMIT 1"
        found = self._store.rows(sql, (self.target,))
        if not found:
            return None
        entry, event_id, created_at = found[0]
        event = self._store.get(event_id)
        if event is None:  # deleted in this moment, and the entry with it
            return True
        try:
            self._deliver(event.as_dict())
        except Refused as refusal:
            self._counts["refused"] += 1
            _log.warning("%s refuses event %d: %s", self.target, event_id, redact(str(refusal)))
        except Exception as error:
            self._counts["failed"] += 1
            if self._store.now() - created_at < self._give_up_after:  # by a clock that cannot be set
                self._note_failure(entry, event_id, error)
                return False
            self._counts["given_up"] += 1
            _log.warning("%s: event %d is given up", self.target, event_id)
        else:
            self._counts["sent"] += 1
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE id = ?", (entry,))
        return True

    def _note_failure(self, entry: int, event_id: int, error: Exception) -> None:
        with self._store.transaction() as connection:
            connection.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", (entry,))
        level = logging.WARNING if self._counts["failed"] in (1, 10) else logging.DEBUG
        _log.log(level, "%s does not take event %d yet: %s", self.target, event_id, redact(str(error)))

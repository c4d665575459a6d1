"""The event log: notices what matters, writes it beside the pipeline, tells whoever listens.

``offer`` runs in the pipeline, looks at the verdicts and copies a frame where there is something new. The log's thread
encodes, flushes and writes behind a bounded queue. When it falls behind (a slow disk, a crowd), an event is put off to
the next picture and counted; a live pipeline never waits, one that works on every frame of a file does. It also looks
at the saliency of what is stored: they are few, and live decisions look at that of alarms only.
"""

from __future__ import annotations

import logging
import math
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from realtime.outputs.events import evidence_files, retention
from realtime.outputs.events.follow_up import FollowUp
from realtime.outputs.events.listeners import Listeners, Subscription
from realtime.outputs.events.rows import Row
from realtime.outputs.events.rules import EventRules, pending_of
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import Event, EventFilter, EventSettings, Explain, FindFaces, PendingEvent, Sighting
from realtime.system.redact import redact
from realtime.types import Frame

_log = logging.getLogger(__name__)
_PRUNE_EVERY = 60.0
_BELIEVED = 86_400.0  # seconds that the clock may have gone on while nothing ran, and be believed at once
_LAND_EVERY = 0.25  # seconds between two tries to store what waits
_LONGEST_REST = 1.5  # seconds that closing waits for events still in the queue; a clean shutdown has three
_LOOKS_FOR = 0.5  # seconds of these in which saliency is still looked at: the engine must be at rest at the end


class EventLog:
    """Everything the rest of the program needs of events.

    ``deliver_to`` names the targets that get an outbox entry with every event, ``tell_ends`` at its end as well.
    ``explain`` and ``find_faces`` are called in the log's own thread. Without the first, events of quick decisions have
    no saliency and mask; without the second, ``pixelate_others`` hides only faces that are followed.
    Raises ``BadInput`` where the folder cannot be used.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: EventSettings | None = None,
        *,
        deliver_to: Sequence[str] = (),
        tell_ends: Sequence[str] = (),
        explain: Explain | None = None,
        find_faces: FindFaces | None = None,
    ) -> None:
        self.settings = settings if settings is not None else EventSettings()
        self.store = EventStore(Path(folder))
        self.deliver_to = tuple(deliver_to)
        self.follow_up = FollowUp(self.store, self.settings.clip_seconds, tell_ends)
        self._explain, self._find_faces = explain, find_faces
        self._looks_until = math.inf
        self._rules = EventRules(self.settings)
        self._rules_lock = threading.Lock()
        self._queue: queue.Queue[PendingEvent | None] = queue.Queue(self.settings.queue_size)
        self._counts: Counter[str] = Counter()
        self._listeners = Listeners()
        self._next_prune = self._next_land = self._next_complaint = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="event-log", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame, sightings: Sequence[Sighting], now: float) -> int:
        """Look at one frame's verdicts; gives how many events were queued.

        ``sightings`` holds every face of the frame, also those without a verdict. Arrays are copied where they
        are needed later. Waits for room in the queue only where every frame of a file is worked on.
        """
        with self._rules_lock:
            noticed = self._rules.notice(frame.camera, sightings, now)
        self.follow_up.seen(frame, sightings, now)
        if not noticed:
            return 0
        bgr, refused = frame.bgr.copy(), []
        for found in noticed:
            event = pending_of(frame, bgr, found, sightings)
            self.follow_up.begin(event, found, frame, now)
            if not self._enqueue(event, patient=frame.file_time is not None):
                self.follow_up.forget(event)
                refused.append(found)
        with self._rules_lock:
            for found in refused:
                self._rules.unsaid(frame.camera, found)
        return len(noticed) - len(refused)

    def remember(self, camera: str, name: str, at: float) -> None:
        """A person appeared before a camera that another log followed until now; see ``EventRules.remember``."""
        with self._rules_lock:
            self._rules.remember(camera, name, at)

    def take_in(self, row: Row, pictures: Mapping[str, bytes]) -> None:
        """Store an event of another log, once, and tell those who listen. Raises ``OSError``, ``sqlite3.Error``."""
        stored = self.store.take_in(row, pictures, self.deliver_to)
        self._told([stored] if stored is not None else [])

    def subscribe(self, wake: Callable[[], None] | None = None) -> Subscription:
        """Hear of every event from now on (and again when it is acknowledged)."""
        return self._listeners.subscribe(wake)

    def query(self, wanted: EventFilter | None = None) -> list[Event]:
        """Stored events, newest first."""
        return self.store.query(wanted)

    def get(self, event_id: int) -> Event | None:
        """One stored event."""
        return self.store.get(event_id)

    def picture(self, event_id: int, name: str) -> bytes | None:
        """An evidence picture as an encoded file, or None if there is none."""
        path = self.store.picture_path(event_id, name)
        try:
            return path.read_bytes() if path is not None else None
        except FileNotFoundError:  # pruned in this moment
            return None

    def people(self) -> list[dict[str, Any]]:
        """Everybody an event names, most recent first."""
        return self.store.people()

    def acknowledge(self, event_id: int) -> Event | None:
        """Mark an event as seen; listeners hear of it. None if there is no such event."""
        event = self.store.acknowledge(event_id)
        self.changed([] if event is None else [event_id])
        return event

    def changed(self, event_ids: Sequence[int]) -> None:
        """Tell listeners of events that somebody has changed (a note, an acknowledgement)."""
        for event in filter(None, map(self.store.get, event_ids)):
            self._listeners.tell(event)

    def counts(self) -> dict[str, int]:
        """``written``, ``put_off`` (offers that found the queue full), ``failed`` (lost), ``without_pictures``,
        ``pruned``, ``queued`` (also those that wait for the database)."""
        keys = ("written", "put_off", "failed", "without_pictures", "pruned")
        return {key: self._counts[key] for key in keys} | {"queued": self._unstored()}

    @property
    def alive(self) -> bool:
        """The writing thread runs."""
        return self._thread.is_alive()

    def flush(self, timeout: float = 5.0, *, given_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all that was offered is stored; False if nothing was for ``timeout``, or it was given up."""
        end, left = time.monotonic() + timeout, self._unfinished()
        while self._unfinished() and time.monotonic() < end and not given_up():
            time.sleep(0.005)
            if self._unfinished() < left:
                end, left = time.monotonic() + timeout, self._unfinished()
        return not self._unfinished()

    def failures(self) -> list[str]:
        """Once it is closed: a line where events were lost. Those that wait in files are stored at the next start."""
        lost = self._counts["failed"] + self._queue.qsize() + self.store.waiting.in_memory()
        return [f"{self.store.folder}: {lost} events were not stored; look at the disk"] if lost else []

    def close(self) -> None:
        """Write what is queued (for at most 1.5 s, see ``flush``), then close the database."""
        if self._closing.is_set():
            return
        self._looks_until = time.monotonic() + _LOOKS_FOR
        self._closing.set()
        self._thread.join(_LONGEST_REST)
        if not self._thread.is_alive():
            self.store.waiting.spill()
            if self.store.waiting:
                folder = self.store.folder
                _log.warning("%s: %d events wait to be stored at the next start", folder, len(self.store.waiting))
            self.store.close()

    def _unstored(self) -> int:
        return self._queue.qsize() + len(self.store.waiting)

    def _unfinished(self) -> int:
        return self._queue.unfinished_tasks + len(self.store.waiting)

    def _enqueue(self, event: PendingEvent, *, patient: bool) -> bool:
        while not self._closing.is_set():
            try:
                self._queue.put(event, block=patient, timeout=0.1)
                return True
            except queue.Full:
                if not patient:
                    self._counts["put_off"] += 1
                    self._complain("more events than are stored in time (put off %s times)", self._counts["put_off"])
                    return False
        return False

    def _write_all(self) -> None:
        end = None
        while True:
            if self._closing.is_set():
                end = end if end is not None else time.monotonic() + _LONGEST_REST * 0.8
                if self._queue.empty() or time.monotonic() > end:
                    self._follow_up(last=True)
                    return
            try:
                event = self._queue.get(timeout=0.1)
            except queue.Empty:
                event = None
            try:
                if event is not None:
                    self._write(event)
                self._land_sometimes()
                self._follow_up()
                self._prune_sometimes()
            finally:
                if event is not None:
                    self._queue.task_done()

    def _write(self, event: PendingEvent) -> None:
        try:
            event = self._explained(event)
            pictures = self._with_room(event, evidence_files.render(event, self.settings, self._find_faces))
            stored = self.store.add(event, pictures, self.deliver_to)
        except Exception as error:  # whatever the disk does must not end the log, let alone the pipeline
            self._counts["failed"] += 1
            self._complain("an event could not be stored: %s", error)
            return
        self._told(stored)
        if self.store.waiting:
            self._complain(
                "%s events wait: another program holds the database, it is away, or the disk is full", self._unstored()
            )

    def _told(self, stored: Sequence[Event]) -> None:
        for event in stored:
            self._counts["written"] += 1
            self._counts["without_pictures"] += not event.pictures
            self.follow_up.stored(event)
            self._listeners.tell(event)

    def _follow_up(self, *, last: bool = False) -> None:
        try:
            self.changed(self.follow_up.write(last=last))
        except Exception as error:  # the event itself is stored
            self._complain("what followed an event could not be noted: %s", error)

    def _with_room(self, event: PendingEvent, pictures: dict[str, bytes]) -> dict[str, bytes]:
        """The pictures, where there is room for them or some can be made."""
        size = sum(len(picture) for picture in pictures.values())
        try:
            if not retention.has_room(self.store, self.settings, event.kind, size):
                self._counts["pruned"] += retention.make_room(self.store, self.settings, size)
                if not retention.has_room(self.store, self.settings, event.kind, size):
                    self._complain("no room for pictures: acknowledge events, or make room; without: %s", event.kind)
                    return {}
        except (sqlite3.Error, OSError) as error:  # nothing can be counted now; writing will tell
            _log.debug("the room for pictures is not known: %s", redact(str(error)))
        return pictures

    def _land_sometimes(self) -> None:
        if time.monotonic() < self._next_land:
            return
        self.store.bring_home()
        self._told(self.store.land())
        self._next_land = time.monotonic() + _LAND_EVERY

    def _explained(self, event: PendingEvent) -> PendingEvent:
        """The event with the saliency of its crop looked at, if there is time for it."""
        behind = self._queue.qsize() > self.settings.queue_size // 2 or time.monotonic() > self._looks_until
        if self._explain is None or behind:
            return event
        try:
            return event.explained(self._explain)
        except Exception as error:  # an event without its explanation is better than none
            self._complain("the saliency of an event could not be looked at: %s", error)
            return event

    def _prune_sometimes(self) -> None:
        now = time.monotonic()
        if now < self._next_prune:
            return
        self._next_prune = now + _PRUNE_EVERY
        try:
            # A tenth of their age: so much too early an event may go, and no more, if the clock was set wrongly.
            self.store.tick(min(_BELIEVED, self.settings.max_age_days * 86_400 / 10))
            self._counts["pruned"] += retention.prune(self.store, self.settings)
        except (sqlite3.Error, OSError) as error:
            self._complain("old events could not be looked for: %s", error)

    def _complain(self, message: str, detail: object) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:  # once a minute is enough for a log that is read
            self._next_complaint = now + 60.0
            _log.warning(message, redact(str(detail)))

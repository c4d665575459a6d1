"""What comes after an event is stored: until when it went on, and a clip around it."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.outputs.events import changes
from realtime.outputs.events.clips import RATE, Clips, Shot
from realtime.outputs.events.lives import Lives
from realtime.outputs.events.rules import Noticed
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import Event, PendingEvent, Sighting
from realtime.outputs.recording.short_clip import short_clip
from realtime.types import Frame

_MOST_KEPT = 64  # clips whose event is not stored yet


class FollowUp:
    """Begun and fed by the pipeline, written by the log's thread.

    Args:
        clip_seconds: length of a clip; 0: none are made.
        tell_ends: targets that get an outbox entry when an event is over.
    """

    def __init__(self, store: EventStore, clip_seconds: float, tell_ends: Sequence[str]) -> None:
        self.clips = Clips(clip_seconds) if clip_seconds > 0 else None
        self._store, self._tell_ends = store, tuple(tell_ends)
        self._lives = Lives()
        self._stored: dict[str, int] = {}  # events whose clip is not written yet, by key
        self._shots: dict[str, list[Shot]] = {}

    def seen(self, frame: Frame, sightings: Sequence[Sighting], now: float) -> None:
        """One frame's verdicts; ``now`` on the frames' clock."""
        self._lives.seen(frame.camera, sightings, frame.wall_time, now)

    def begin(self, event: PendingEvent, found: Noticed, frame: Frame, now: float) -> None:
        """An event was noticed in this frame."""
        self._lives.begin(event.key, frame.camera, found, frame.wall_time, now)
        if self.clips is not None:
            self.clips.begin(event.key, frame.camera, frame.moment)

    def forget(self, event: PendingEvent) -> None:
        """It could not be taken."""
        self._lives.forget(event.key)
        if self.clips is not None:
            self.clips.forget(event.key)

    def stored(self, event: Event) -> None:
        """It has a number by now."""
        self._lives.stored(event.key, event.id)
        if self.clips is not None and event.pictures:
            self._stored[event.key] = event.id

    def write(self, *, last: bool = False) -> list[int]:
        """Note what is due; gives the numbers of the events that have changed. Raises ``sqlite3.Error``, ``OSError``.

        ``last``: the run is over, and so are all events.
        """
        lives = self._lives.end_all() if last else self._lives.due()
        if lives:
            changes.lived(self._store, lives, self._tell_ends)
        changed = [life.event_id for life in lives]
        if self.clips is not None:
            self._shots |= self.clips.finished(all_of_them=last)
        while len(self._shots) > _MOST_KEPT:  # of events that were never stored
            self._shots.pop(next(iter(self._shots)))
        for key in [key for key in self._shots if key in self._stored]:
            event_id, shots = self._stored.pop(key), self._shots.pop(key)
            content = short_clip(shots, RATE)
            if content and changes.add_clip(self._store, event_id, content):
                changed.append(event_id)
        return changed

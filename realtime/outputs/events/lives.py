"""How long what an event is about went on: from its start, over updates, to its end. Safe to share between threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from realtime.outputs.events.rules import Noticed
from realtime.outputs.events.types import Sighting

ENDS_AFTER = 3.0  # seconds, on the frames' clock, without the face or with another verdict
_LOST_AFTER = 30.0  # seconds without any picture of the camera
UPDATE_EVERY = 5.0  # seconds between two notes of how long it goes on


@dataclass(frozen=True)
class Lived:
    """What is to be noted of an event: until when it was seen, on how many looks, and whether it is over."""

    event_id: int
    last_seen: float  # seconds since the epoch
    looks: int
    ended: bool


@dataclass
class _Life:
    camera: str
    track_id: int
    saying: tuple[str, str]
    shared: bool  # two tracks with one name: it lasts while there are two
    last_seen: float
    seen_at: float  # on the frames' clock
    heard_at: float  # time.monotonic()
    event_id: int | None = None
    decided_at: set[float] = field(default_factory=set)
    looks: int = 1
    told: tuple[int, bool] = (1, False)
    told_at: float = 0.0
    over: bool = False


class Lives:
    """The events that are going on. ``clock``: ``time.monotonic``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lives: dict[str, _Life] = {}
        self._lock = threading.Lock()

    def begin(self, key: str, camera: str, found: Noticed, wall_time: float, now: float) -> None:
        """An event was noticed; ``now`` on the frames' clock. ``key``: the event's."""
        kind, subject, _ = found
        with self._lock:
            self._lives[key] = _Life(
                camera,
                subject.track.track_id,
                (_state_of(subject), subject.name or ""),
                kind == "same_name_twice",
                wall_time,
                now,
                self._clock(),
                decided_at=set() if subject.verdict is None else {subject.verdict.decided_at},
                told_at=self._clock(),
            )

    def forget(self, key: str) -> None:
        """The event could not be taken."""
        with self._lock:
            self._lives.pop(key, None)

    def stored(self, key: str, event_id: int) -> None:
        """The event has a number by now."""
        with self._lock:
            if key in self._lives:
                self._lives[key].event_id = event_id

    def seen(self, camera: str, sightings: Sequence[Sighting], wall_time: float, now: float) -> None:
        """One frame's verdicts."""
        with self._lock:
            for life in self._lives.values():
                if life.camera != camera or life.over:
                    continue
                life.heard_at = self._clock()
                verdicts = [s.verdict for s in sightings if _goes_on(life, s, now)]
                if len(verdicts) > (1 if life.shared else 0):
                    life.last_seen, life.seen_at = wall_time, now
                    decided = next(v.decided_at for v in verdicts if v is not None)
                    life.looks += decided not in life.decided_at
                    life.decided_at = {decided}
                elif now - life.seen_at >= ENDS_AFTER:
                    life.over = True

    def due(self) -> list[Lived]:
        """What is to be noted now; those that are over are forgotten with it."""
        now, found = self._clock(), []
        with self._lock:
            for key, life in list(self._lives.items()):
                life.over = life.over or now - life.heard_at >= _LOST_AFTER
                if life.event_id is None:
                    if life.over and now - life.heard_at >= 10 * _LOST_AFTER:  # it was never stored
                        del self._lives[key]
                    continue
                news = (life.looks, life.over)
                if not life.over and (news == life.told or now - life.told_at < UPDATE_EVERY):
                    continue
                life.told, life.told_at = news, now
                found.append(Lived(life.event_id, life.last_seen, life.looks, life.over))
                if life.over:
                    del self._lives[key]
        return found

    def end_all(self) -> list[Lived]:
        """The run is over, and so is everything."""
        with self._lock:
            for life in self._lives.values():
                life.over = True
        return self.due()


def _state_of(sighting: Sighting) -> str:
    return "" if sighting.verdict is None else sighting.verdict.state


def _goes_on(life: _Life, sighting: Sighting, now: float) -> bool:
    if not life.shared and sighting.track.track_id != life.track_id:
        return False
    fresh = sighting.verdict is not None and not sighting.verdict.is_stale(now)
    return fresh and (_state_of(sighting), sighting.name or "") == life.saying

"""Between a run and a loop that may be slower: the newest of each thing waits, or the run does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
_MOST = 64  # that wait where none may be missed
_LOOK = 0.2  # seconds after which a waiting thread looks again: Ctrl-C comes between


class Waiting(Generic[Thing]):
    """What was put in, in order. Safe to share between threads.

    ``patient``: nothing is missed, and ``put`` waits for room. Otherwise a newer one of a key takes the older one's
    place, and ``put`` never waits.
    """

    def __init__(self, *, patient: bool) -> None:
        self._patient = patient
        self._things: dict[Hashable, Thing] = {}
        self._count = 0
        self._ended = self._left = False
        self._stop: Callable[[], None] | None = None
        self._changed = threading.Condition()

    def put(self, key: Hashable, thing: Thing) -> None:
        """Hand one over; dropped where nobody takes it any more."""
        with self._changed:
            while self._patient and len(self._things) >= _MOST and not self._left:
                self._changed.wait(_LOOK)
            if self._left:
                return
            self._count += 1
            self._things[(key, self._count) if self._patient else key] = thing
            self._changed.notify_all()

    def next(self) -> Thing | None:
        """The one that waits longest; None at the end."""
        with self._changed:
            while not self._things and not self._ended:
                self._changed.wait(_LOOK)
            if not self._things:
                return None
            thing = self._things.pop(next(iter(self._things)))
            self._changed.notify_all()
            return thing

    def end(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def leave(self) -> None:
        """Nobody takes any more: whoever waits goes on, and what ``when_left`` was given is called."""
        with self._changed:
            self._left = True
            stop = self._stop
            self._changed.notify_all()
        if stop is not None:
            stop()

    def when_left(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` when the loop is left; at once where it has been."""
        with self._changed:
            self._stop = stop
            left = self._left
        if left:
            stop()

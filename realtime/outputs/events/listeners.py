"""Who is told of events as they happen: the page's viewers, each at their own pace."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from realtime.outputs.events.types import Event

_log = logging.getLogger(__name__)
_KEPT = 64


class Subscription:
    """The events of one listener, newest kept when it is slow. ``wake`` is called from the log's thread."""

    def __init__(self, leave: Callable[[Subscription], None], wake: Callable[[], None] | None) -> None:
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._arrived = threading.Condition()
        self._leave = leave
        self._wake = wake

    def take(self, timeout: float = 0.0) -> list[Event]:
        """Everything that arrived since the last call; waits up to ``timeout`` seconds for something."""
        with self._arrived:
            if timeout > 0:
                self._arrived.wait_for(lambda: bool(self._events), timeout)
            events = list(self._events)
            self._events.clear()
        return events

    def close(self) -> None:
        """Hear no more."""
        self._leave(self)

    def put(self, event: Event) -> None:
        """For the log: hand an event over."""
        with self._arrived:
            self._events.append(event)
            self._arrived.notify_all()
        if self._wake is not None:
            self._wake()


class Listeners:
    """All subscriptions. Safe to share between threads."""

    def __init__(self) -> None:
        self._all: set[Subscription] = set()
        self._lock = threading.Lock()

    def subscribe(self, wake: Callable[[], None] | None) -> Subscription:
        """One more."""
        subscription = Subscription(self._leave, wake)
        with self._lock:
            self._all.add(subscription)
        return subscription

    def tell(self, event: Event) -> None:
        """Hand an event to everybody."""
        with self._lock:
            listeners = list(self._all)
        for listener in listeners:
            try:
                listener.put(event)
            except Exception as error:  # a listener that is going away is no reason to lose events
                _log.debug("a listener failed: %s", error)

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            self._all.discard(subscription)

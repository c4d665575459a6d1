"""Tells the program that started this one, systemd for one, that it runs, and that it has not got stuck.

The protocol is sd_notify(3): a datagram to the socket whose address is in the environment. Without it nothing happens.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator

_log = logging.getLogger(__name__)
_STUCK = 30.0  # seconds without a beat; on a small machine one pass of a large network takes some


class Heart:
    """The beats of the threads that must not get stuck. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}

    def beat(self) -> None:
        """The calling thread gets on."""
        self._beats[threading.current_thread().name] = time.monotonic()

    def rest(self) -> None:
        """The calling thread has ended, as it may."""
        self._beats.pop(threading.current_thread().name, None)

    def stuck(self, now: float | None = None) -> list[str]:
        """The threads that have not got on for half a minute."""
        now = time.monotonic() if now is None else now
        return [name for name, beat in list(self._beats.items()) if now - beat > _STUCK]


def tell(state: str) -> None:
    """Say ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1`` to whoever asked for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@") or not hasattr(socket, "AF_UNIX"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
        notifying.connect("\0" + address[1:] if address[0] == "@" else address)
        notifying.sendall(state.encode())


@contextlib.contextmanager
def told(heart: Heart) -> Iterator[None]:
    """Within the block it is said that the program runs and, as often as is asked for, that it has not got stuck."""
    ended = threading.Event()
    seconds = _watchdog_seconds()

    def watch() -> None:
        while not ended.wait(seconds / 3):
            stuck = heart.stuck()
            if stuck:
                _log.error("no progress of %s for half a minute; the watchdog is not told", ", ".join(stuck))
            else:
                tell("WATCHDOG=1")

    if seconds:
        threading.Thread(target=watch, name="watchdog", daemon=True).start()
    tell("READY=1")
    try:
        yield
    finally:
        ended.set()
        tell("STOPPING=1")


def _watchdog_seconds() -> float:
    """How often the watchdog wants to hear of this very process, 0 where there is none."""
    asked, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(asked) / 1e6 if asked.isdigit() and process == str(os.getpid()) else 0.0

"""Signals that end a run in good order."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminated_by_signal() -> Iterator[Callable[..., None]]:
    """Within the block SIGTERM, SIGHUP and Ctrl-C stop the run: recordings are finished and figures written.

    SIGHUP comes when the terminal or the connection to it is closed; where it is ignored (``nohup``), it stays so.

    Gives a function that takes what stops the run; all of it is called as soon as a signal has come, in a thread of its
    own, because a signal handler must take no lock. Further signals say nothing new (``timeout`` sends two SIGTERMs);
    a second Ctrl-C interrupts at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda *stops: None
        return
    asked: queue.SimpleQueue[bool] = queue.SimpleQueue()  # its put is safe in a signal handler
    numbers = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def handler(number: int, stack: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, before[other] if other == signal.SIGINT else signal.SIG_IGN)
        asked.put(True)

    def when_asked(*stops: Callable[[], None]) -> None:
        def wait() -> None:
            if asked.get():
                for stop in stops:
                    stop()

        threading.Thread(target=wait, name="signals", daemon=True).start()

    for number in before:
        signal.signal(number, handler)
    try:
        yield when_asked
    finally:
        asked.put(False)
        for number, former in before.items():
            signal.signal(number, former)

"""Signals that end a run in good order."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: What ends a process that has no handler for it, and leaves it time: also Ctrl-\, a limit of processor time, a failing
#: power supply, and what is sent to programs that are wrongly thought to rotate their logs.
ENDING = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGPWR", "SIGUSR1", "SIGUSR2")
_AT_ONCE = ("SIGINT", "SIGQUIT")


@contextmanager
def terminated_by_signal() -> Iterator[Callable[..., None]]:
    """Within the block SIGTERM, SIGHUP, Ctrl-C and whatever else would end the process (``ENDING``) stop the run:
    recordings are finished and figures written.

    SIGHUP comes when the terminal or the connection to it is closed; where it is ignored (``nohup``), it stays so.

    Gives a function that takes what stops the run; all of it is called as soon as a signal has come, in a thread of its
    own, because a signal handler must take no lock. Further signals say nothing new (``timeout`` sends two SIGTERMs);
    a second Ctrl-C (or Ctrl-\\) interrupts at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda *stops: None
        return
    asked: queue.SimpleQueue[bool] = queue.SimpleQueue()  # its put is safe in a signal handler
    known = [signal.Signals[name] for name in ENDING if name in signal.Signals.__members__]
    always = (signal.SIGTERM, signal.SIGINT)
    numbers = [one for one in known if one in always or signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in numbers}

    def handler(number: int, stack: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, before[other] if other.name in _AT_ONCE else signal.SIG_IGN)
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

"""How long ago the camera took what arrives now: the stream's own time against the moment of arrival."""

from __future__ import annotations

from collections import deque

import numpy as np

_DRIFT = 5e-4  # seconds a second by which a camera's clock may be slow; quartz stays within a fifth of it
_BACK = 0.5  # seconds back from which on the clock was set; pictures in decoding order go back by less
_AHEAD = 10.0  # seconds ahead from which on it was set; a camera that drops pictures steps by less
_LOOK_BACK = 30  # seconds in which a queue grows, drains or varies
_STEADY = 0.1  # seconds off a straight line within which nothing varies


class StreamClock:
    """The least delay seen is taken for none; whatever comes later than that has waited somewhere.

    A network that stalls, a socket or a sender that queues: the stamps go on meanwhile, so what comes out is older by
    as much. What the stamps cannot tell changes nothing in what is known of the delay: a clock that is set, one that
    stands still, several pictures with one stamp. A delay that lies on a straight line for half a minute is no queue
    but a clock that paused or goes slow (cameras that count pictures instead of time); it is then followed. What
    waited before the first packet is not seen.
    """

    def __init__(self) -> None:
        self.delay = 0.0  # seconds, of the newest packet
        self._stamp: float | None = None
        self._arrived = 0.0
        self._least = 0.0  # of arrival minus stamp
        self._drift = _DRIFT
        self._seconds: deque[tuple[float, float]] = deque(maxlen=_LOOK_BACK)  # (begin, its least delay)

    def taken_at(self, stamp: float | None, arrived: float) -> float:
        """When it was taken, on the clock of ``arrived``; ``stamp`` is the stream's time. Seconds."""
        if stamp is not None:
            self._note(stamp, arrived)
        return arrived - self.delay

    def _note(self, stamp: float, arrived: float) -> None:
        offset = arrived - stamp
        if self._stamp is None:
            self._least = offset
        else:
            step, passed = stamp - self._stamp, arrived - self._arrived
            if step == 0 or step < -_BACK or step > passed + self.delay + _AHEAD:
                self._least = offset - self.delay
            else:
                self._least = min(self._least + self._drift * passed, offset)
        self.delay = offset - self._least
        self._stamp, self._arrived = stamp, arrived
        self._look_back(arrived)

    def _look_back(self, now: float) -> None:
        if self._seconds and now - self._seconds[-1][0] < 1.0:
            begin, least = self._seconds[-1]
            self._seconds[-1] = (begin, min(least, self.delay))
            return
        if len(self._seconds) == _LOOK_BACK and self.delay > _STEADY:
            times, delays = np.array(self._seconds).T
            slope, first = np.polyfit(times - times[0], delays, 1)
            if np.abs(first + slope * (times - times[0]) - delays).max() < _STEADY:
                self._drift = max(_DRIFT, self._drift + float(slope))
                self._least, self.delay = self._least + self.delay, 0.0
                self._seconds.clear()
        self._seconds.append((now, self.delay))

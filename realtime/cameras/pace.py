"""A recording's own clock, and playing at its pace."""

from __future__ import annotations

import time

_LATE = 0.5  # seconds behind its own clock from which on a recording plays slower instead of hurrying
_LONGEST_GAP = 10.0
"""Seconds between two pictures that are believed; where joined recordings jump by hours, nobody is to wait for that.
More than a track is remembered: who comes after a gap is not taken for who was there before it."""


class Pace:
    """``last_stamp`` is the highest time that the recording gave, in seconds from its first where that is below 0."""

    def __init__(self, fps: float | None) -> None:
        self.last_stamp = 0.0
        self._begins = 0.0
        self._usual = 1 / (fps or 25.0)
        self._count = 0
        self._time = 0.0  # of the last picture
        self._stamp: float | None = None  # the same as the recording has it
        self._starts_at: float | None = None

    def time_of(self, stamp: float | None) -> float:
        """Seconds that rise with every picture, also where the recording's clock restarts, jumps, or is missing."""
        if stamp is None:
            stamp = self._count * self._usual
        if self._stamp is None:
            self._time = stamp
            self._begins = min(stamp, 0.0)
        else:
            step = stamp - self._stamp
            self._time += min(step, _LONGEST_GAP) if step > 0 else self._usual
        self._count += 1
        self._stamp = stamp
        self.last_stamp = max(self.last_stamp, stamp - self._begins)
        return self._time

    def wait_until(self, at: float) -> None:
        """Wait until a picture of that time is due."""
        now = time.monotonic()
        if self._starts_at is None or now - self._starts_at - at > _LATE:
            self._starts_at = now - at
        delay = self._starts_at + at - now
        if delay > 0:
            time.sleep(delay)

"""When to try a lost camera again: growing, jittered steps that start over after a stable minute."""

from __future__ import annotations

import random
import time
from collections.abc import Callable


class BackOff:
    """Waiting times between attempts, in seconds.

    Steps double from ``first`` to ``longest``; once nothing has worked for ``patient_after`` they may grow on
    to ``patient_longest``. Each is shortened by up to ``jitter`` of itself, so that cameras that died together
    (a switch) do not come back in one thundering second, and no step is ever longer than it should be.
    A connection that held for ``stable_after`` starts the steps over: one that flaps does not.
    """

    def __init__(
        self,
        *,
        first: float = 0.5,
        longest: float = 10.0,
        patient_after: float = 600.0,
        patient_longest: float = 60.0,
        stable_after: float = 60.0,
        jitter: float = 0.3,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.first, self.longest = first, longest
        self.patient_after, self.patient_longest = patient_after, patient_longest
        self.stable_after, self.jitter = stable_after, jitter
        self._clock = clock
        self._rng = rng or random.Random()
        self._step = first
        self._failing_since: float | None = None
        self._connected_at: float | None = None

    def connected(self) -> None:
        """Pictures come."""
        self._connected_at = self._clock()

    def failed(self) -> float:
        """An attempt or a connection failed: how long to wait before the next attempt."""
        now = self._clock()
        if self._connected_at is not None:
            if now - self._connected_at >= self.stable_after:
                self._step = self.first
            self._connected_at = self._failing_since = None
        if self._failing_since is None:
            self._failing_since = now
        patient = now - self._failing_since >= self.patient_after
        step = min(self._step, self.patient_longest if patient else self.longest)
        self._step = min(step * 2, self.patient_longest)
        return step * (1 - self.jitter * self._rng.random())

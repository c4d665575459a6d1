"""How long each stage of a decision takes."""

from __future__ import annotations

import time


class Stages:
    """Notes in ``stage_ms`` how many milliseconds each stage took, where anybody wants to know (None: nobody)."""

    def __init__(self, stage_ms: dict[str, float] | None) -> None:
        self._stage_ms = stage_ms
        self._started = time.perf_counter()

    def end(self, stage: str) -> None:
        """The stage of this name is over; the next one begins."""
        now = time.perf_counter()
        if self._stage_ms is not None:
            self._stage_ms[stage] = (now - self._started) * 1e3
        self._started = now

"""What is counted of a camera: how fast its pictures come, and how many were dropped, over all its connections."""

from __future__ import annotations

from collections import Counter, deque

_RATE_WINDOW = 3.0  # seconds


class Arrivals:
    """When the last pictures came, in monotonic seconds."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=60)

    def add(self, at: float) -> None:
        self._at.append(at)

    def clear(self) -> None:
        self._at.clear()

    def rate(self, now: float) -> float:
        """Pictures per second over the last three seconds."""
        recent = [at for at in self._at if now - at <= _RATE_WINDOW]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0


class Drops:
    """Pictures that no reader could get, by reason."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    def opened(self, counted: Counter[str]) -> None:
        """``counted`` is the open camera's own, which goes on counting."""
        self._now = counted

    def closed(self) -> None:
        """What the camera counts from now on is not of this connection."""
        self._before, self._now = self.all(), Counter()

    def all(self) -> Counter[str]:
        return self._before + Counter(dict(self._now))  # copied in one step: another thread may be counting

"""One person's pictures while they are taken, in memory only: what is good so far, and where to look next.

Nothing of a sitting is written before it is finished, so one that breaks off leaves nothing behind.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from models.errors import BadInput
from realtime.people.judge import GoodFace
from realtime.people.people import Added
from realtime.people.sources import Skipped

Pose = Literal["straight", "left", "right", "up"]
POSES: tuple[Pose, ...] = get_args(Pose)
#: How many of each are asked for: five pictures make a face known often.
WANTED: Final[dict[Pose, int]] = {"straight": 2, "left": 1, "right": 1, "up": 1}
MOST: Final = 60  # pictures of one sitting

#: ``turn`` from which on a head looks aside: about 15 degrees, where the gate's 0.40 is 36.
_ASIDE: Final = 0.15
#: How much less ``tilt`` than this person's own straight look has a head that looks up: about 8 degrees.
_UP: Final = 0.07
#: ``tilt`` of a straight look before there is one: the median of 299 faces of PubFig83 (``pubfig30``).
_STRAIGHT: Final = 0.58
_IDLE: Final = 600.0  # seconds after which an abandoned sitting is forgotten
_MOST_SITTINGS: Final = 16


@dataclass(frozen=True)
class Judged:
    """What became of a picture: ``number`` and ``pose`` where it is good, otherwise the ``reason``."""

    name: str
    number: int | None = None
    pose: Pose | None = None
    reason: str = ""


@dataclass
class Sitting:
    """``who`` is called so, ``consent``: how and when it was given. ``answer``: once it is finished."""

    who: str
    consent: str
    more: bool = False
    keep: bool = False
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    faces: dict[int, tuple[GoodFace, Pose]] = field(default_factory=dict)
    answer: Added | None = None
    used_at: float = 0.0
    finishing: threading.Lock = field(default_factory=threading.Lock)
    _given: int = 0

    def take(self, found: GoodFace | Skipped) -> Judged:
        """Keep a good face, unless it is there already or a camera has given enough that look like this."""
        if isinstance(found, Skipped):
            return Judged(found.name, reason=found.reason)
        pose = self._pose(found)
        if any(found.digest == face.digest for face, _ in self.faces.values()):
            return Judged(found.name, reason="the same picture is there already")
        if len(self.faces) >= MOST:
            return Judged(found.name, reason=f"{MOST} pictures are enough")
        if found.moving and self.counts()[pose] >= WANTED[pose]:
            return Judged(found.name, reason=f"enough that look {pose}")
        self._given += 1
        self.faces[self._given] = (found, pose)
        return Judged(found.name, self._given, pose)

    def drop(self, number: int) -> bool:
        """Take a picture out; whether it was there."""
        return self.faces.pop(number, None) is not None

    def counts(self) -> Counter[Pose]:
        """Good pictures by where the head looks."""
        return Counter(pose for _, pose in self.faces.values())

    def missing(self) -> dict[Pose, int]:
        """How many are still wanted, in the order to ask for them; empty: enough."""
        counts = self.counts()
        return {pose: WANTED[pose] - counts[pose] for pose in POSES if counts[pose] < WANTED[pose]}

    def _pose(self, face: GoodFace) -> Pose:
        """Left and right are the person's own; a face without figures looks straight."""
        if face.turn is None or face.tilt is None:
            return "straight"
        if abs(face.turn) >= _ASIDE:
            return "left" if face.turn > 0 else "right"
        own = [one.tilt for one, pose in self.faces.values() if pose == "straight" and one.tilt is not None]
        return "up" if face.tilt <= (sum(own) / len(own) if own else _STRAIGHT) - _UP else "straight"


class Sittings:
    """Those that are going on. From any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._all: dict[str, Sitting] = {}

    def begin(self, sitting: Sitting) -> Sitting:
        """Remember it; where there are too many, the one unused for longest goes."""
        with self._lock:
            self._forget_abandoned()
            while len(self._all) >= _MOST_SITTINGS:
                del self._all[min(self._all, key=lambda one: self._all[one].used_at)]
            sitting.used_at = self._clock()
            self._all[sitting.id] = sitting
        return sitting

    def get(self, number: str) -> Sitting:
        """Raises ``BadInput`` where it is over."""
        with self._lock:
            self._forget_abandoned()
            found = self._all.get(number)
            if found is None:
                raise BadInput("this sitting is over; nothing of it was kept, begin again")
            found.used_at = self._clock()
            return found

    def end(self, number: str) -> None:
        """Forget it with its pictures; may be called twice."""
        with self._lock:
            self._all.pop(number, None)

    def _forget_abandoned(self) -> None:
        now = self._clock()
        self._all = {key: one for key, one in self._all.items() if now - one.used_at < _IDLE}

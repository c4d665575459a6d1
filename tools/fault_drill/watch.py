"""Notes what a viewer of one camera gets: every picture, and every change of what is said about the camera."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from realtime.cameras import BackOff, CameraError, CameraState, CameraStatus, Cause, NewestFrame
from tools.fault_drill.pictures import Reference

_EVERY = 0.01  # seconds between two looks at the status


@dataclass(frozen=True)
class Look:
    """What was said about the camera from ``at`` on. Times are ``time.monotonic()`` seconds."""

    at: float
    state: CameraState
    cause: Cause | None
    dropped: int
    fps: float


@dataclass(frozen=True)
class Got:
    """A picture that a viewer got."""

    captured_at: float
    taken_at: float
    size: tuple[int, int]
    whole: bool


class Watch:
    """Watches a capture that is not started yet; ``start`` starts both.

    ``waits``: when an attempt failed, and the back-off step before the next (seconds).
    """

    def __init__(self, capture: NewestFrame, reference: Reference) -> None:
        self.capture = capture
        self.looks: list[Look] = []
        self.got: list[Got] = []
        self.waits: list[tuple[float, float]] = []
        self._reference = reference
        self._reader = capture.reader("drill")
        self._stopping = threading.Event()
        self._listen_to(capture._back_off)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._take)]

    def start(self) -> None:
        self.looks.append(_look_at(self.capture.status()))
        self.capture.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self.capture.stop()
        for thread in self._threads:
            thread.join(1.0)

    def wait_until_live(self, timeout: float = 10.0) -> bool:
        """Whether it was noted live in time (what is measured are the notes, and they come a little later)."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.looks[-1].state is CameraState.LIVE:
                return True
            time.sleep(_EVERY)
        return False

    def first_picture_after(self, at: float, *, size: tuple[int, int] | None = None) -> Got | None:
        """The first picture captured after ``at`` (of ``size``)."""
        return next((got for got in self.got if got.captured_at > at and size in (None, got.size)), None)

    def pictures_between(self, begin: float, end: float) -> list[Got]:
        """Those captured after ``begin`` and until ``end``."""
        return [got for got in self.got if begin < got.captured_at <= end]

    def _listen_to(self, back_off: BackOff) -> None:
        failed = back_off.failed

        def told() -> float:
            step = failed()
            self.waits.append((time.monotonic(), step))
            return step

        back_off.failed = told  # type: ignore[method-assign]

    def _look(self) -> None:
        while not self._stopping.is_set():
            look = _look_at(self.capture.status())
            if not self.looks or _differ(self.looks[-1], look):
                self.looks.append(look)
            time.sleep(_EVERY)

    def _take(self) -> None:
        while not self._stopping.is_set():
            try:
                frame = self._reader.next(0.1)
            except CameraError:
                return
            if frame is not None:
                now = time.monotonic()
                size = (frame.bgr.shape[1], frame.bgr.shape[0])
                self.got.append(Got(frame.captured_at, now, size, self._reference.is_whole(frame.bgr)))


def _look_at(status: CameraStatus) -> Look:
    return Look(time.monotonic(), status.state, status.cause, sum(status.dropped.values()), status.fps)


def _differ(old: Look, new: Look) -> bool:
    return (old.state, old.cause, old.dropped) != (new.state, new.cause, new.dropped) or (
        abs(new.fps - old.fps) > 0.05 * max(new.fps, old.fps)
    )

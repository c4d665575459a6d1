"""A short clip around each event: the last seconds of every camera are held as JPEG, and those that follow are added.

Pictures are what the camera gave, not what is drawn onto it. An event's clip goes on until half of its length after
the event, or until the camera or the run ends.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import cv2

from models.arrays import Bytes
from realtime.types import Frame

RATE = 8.0  # pictures per second
_SIDE = 640  # longer side, pixels
_QUALITY = 80
_MOST_OPEN = 8  # clips of a camera that are being gathered: they share their pictures
_LATE = 20.0  # seconds without a picture of the camera after which its clips are finished as they are

Shot = tuple[float, bytes]  # moment on the frames' clock, JPEG


@dataclass
class _Open:
    key: str
    end: float
    shots: list[Shot] = field(default_factory=list)


class Clips:
    """Gathers them. ``seconds``: their whole length, the event in the middle. Safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._before: dict[str, deque[Shot]] = {}
        self._open: dict[str, list[_Open]] = {}
        self._heard_at: dict[str, float] = {}  # time.monotonic() of each camera's last picture
        self._done: dict[str, list[Shot]] = {}
        self._lock = threading.Lock()

    def put(self, frame: Frame) -> None:
        """For the pipeline: a picture of a camera."""
        moment = frame.moment
        with self._lock:
            self._heard_at[frame.camera] = time.monotonic()
            shots = self._before.setdefault(frame.camera, deque())
            if shots and 0 <= moment - shots[-1][0] < 0.95 / RATE:
                return
        shot = (moment, _jpeg(frame.bgr))
        with self._lock:
            shots.append(shot)
            while shots and not 0 <= moment - shots[0][0] <= self.seconds / 2:
                shots.popleft()
            waiting = self._open.get(frame.camera, [])
            for one in waiting:
                if moment <= one.end:
                    one.shots.append(shot)
                else:
                    self._done[one.key] = one.shots
            self._open[frame.camera] = [one for one in waiting if moment <= one.end]

    def begin(self, key: str, camera: str, moment: float) -> None:
        """An event was noticed in the picture of this moment."""
        with self._lock:
            waiting = self._open.setdefault(camera, [])
            if len(waiting) < _MOST_OPEN:
                before = [shot for shot in self._before.get(camera, ()) if shot[0] >= moment - self.seconds / 2]
                waiting.append(_Open(key, moment + self.seconds / 2, before))

    def forget(self, key: str) -> None:
        """The event could not be taken."""
        with self._lock:
            self._open = {name: [one for one in waiting if one.key != key] for name, waiting in self._open.items()}

    def finished(self, *, all_of_them: bool = False) -> dict[str, list[Shot]]:
        """The clips that are whole, by their event's key; each is given once."""
        now = time.monotonic()
        with self._lock:
            for camera, waiting in self._open.items():
                late = waiting if all_of_them or now - self._heard_at.get(camera, now) > _LATE else []
                self._done |= {one.key: one.shots for one in late}
                self._open[camera] = [one for one in waiting if one not in late]
            done, self._done = self._done, {}
            return done


def _jpeg(bgr: Bytes) -> bytes:
    scale = min(1.0, _SIDE / max(bgr.shape[:2]))
    if scale < 1.0:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(bgr.dtype)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()

"""The newest picture of every camera, encoded once and only while somebody looks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from models.arrays import Bytes
from realtime.cameras.states import CameraStatus
from realtime.types import Frame

_RATE_OVER = 2.0  # seconds


@dataclass(frozen=True)
class Picture:
    """A JPEG. ``sequence`` grows with every new one; ``captured_at`` is monotonic."""

    sequence: int
    jpeg: bytes
    captured_at: float


class Sources(Protocol):
    """What the page shows. The methods may be called from any thread, and often."""

    def cameras(self) -> Sequence[CameraStatus]:
        """The state of every camera, always in the same order."""

    def newest(self, camera: str) -> int:
        """The sequence number of the newest picture, -1 if there is none. Costs nothing."""

    def picture(self, camera: str) -> Picture | None:
        """The newest picture, or None if there is none."""

    def frame(self, camera: str) -> Frame | None:
        """What the newest picture was drawn onto, as the camera gave it; None if there is none."""


@dataclass
class _Slot:
    bgr: Bytes | None = None
    frame: Frame | None = None
    sequence: int = -1
    captured_at: float = 0.0
    encoded: Picture | None = None


class LivePictures:
    """``Sources`` for a pipeline: it hands every displayed picture to ``show`` and does not wait.

    Args:
        statuses: gives the cameras' states.
        max_width: wider pictures are made smaller, pixels.
        quality: of the JPEGs, 1 to 100.
        on_displayed: is told (camera, age in seconds) of every new frame; for the metrics.

    A viewer asks for the newest picture when it is ready for one. There is one slot a camera, overwritten by
    ``show``: a slow viewer misses pictures, and nothing piles up.
    """

    def __init__(
        self,
        statuses: Callable[[], Sequence[CameraStatus]],
        *,
        max_width: int = 960,
        quality: int = 80,
        on_displayed: Callable[[str, float], None] | None = None,
    ) -> None:
        self._statuses = statuses
        self._max_width, self._quality = max_width, quality
        self.on_displayed = on_displayed
        self._slots: dict[str, _Slot] = {}
        self._moments: dict[str, deque[float]] = {}
        self._displayed: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()
        self._encoding = threading.Lock()

    def show(self, frame: Frame, picture: Bytes) -> None:
        """Take the picture (H, W, 3) BGR drawn for ``frame``; it must not be changed afterwards."""
        now = time.monotonic()
        with self._lock:
            slot = self._slots.setdefault(frame.camera, _Slot())
            slot.bgr, slot.frame, slot.captured_at = picture, frame, frame.captured_at
            slot.sequence += 1
            fresh = self._last.get(frame.camera) != frame.index
            self._last[frame.camera] = frame.index
            if fresh:
                self._displayed[frame.camera] = self._displayed.get(frame.camera, 0) + 1
                self._moments.setdefault(frame.camera, deque(maxlen=256)).append(now)
        if fresh and self.on_displayed is not None:
            self.on_displayed(frame.camera, now - frame.captured_at)

    def cameras(self) -> Sequence[CameraStatus]:
        """See ``Sources``."""
        return self._statuses()

    def newest(self, camera: str) -> int:
        """See ``Sources``."""
        with self._lock:
            slot = self._slots.get(camera)
            return -1 if slot is None else slot.sequence

    def picture(self, camera: str) -> Picture | None:
        """See ``Sources``. Encodes at most once, however many viewers ask."""
        with self._encoding:  # not the lock of ``show``: the pipeline must not wait for an encoder
            with self._lock:
                slot = self._slots.get(camera)
                if slot is None or slot.bgr is None:
                    return None
                bgr, sequence, captured_at, encoded = slot.bgr, slot.sequence, slot.captured_at, slot.encoded
            if encoded is not None and encoded.sequence == sequence:
                return encoded
            picture = Picture(sequence, _jpeg(bgr, self._max_width, self._quality), captured_at)
            with self._lock:
                slot.encoded = picture
            return picture

    def frame(self, camera: str) -> Frame | None:
        """See ``Sources``."""
        with self._lock:
            slot = self._slots.get(camera)
            return None if slot is None else slot.frame

    def displayed(self) -> dict[str, int]:
        """How many frames of each camera were displayed."""
        with self._lock:
            return dict(self._displayed)

    def rate(self, camera: str, now: float | None = None) -> float:
        """Displayed frames per second over the last two seconds."""
        now = time.monotonic() if now is None else now
        with self._lock:
            return sum(now - moment <= _RATE_OVER for moment in self._moments.get(camera, ())) / _RATE_OVER


def _jpeg(bgr: Bytes, max_width: int, quality: int) -> bytes:
    height, width = bgr.shape[:2]
    if width > max_width:
        size = (max_width, max(1, round(height * max_width / width)))
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("a picture could not be encoded as JPEG")
    return data.tobytes()

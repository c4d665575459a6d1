"""The one protocol behind which webcams, network streams, files and the demo scene stand."""

from __future__ import annotations

import time
from collections import Counter
from typing import Protocol

from models.arrays import Bytes
from realtime.types import Frame


class Camera(Protocol):
    """An open source of pictures, used and closed by one thread only.

    ``real_time``: pictures come at the pace of the world (or of the file's own rate); otherwise as fast as they
    are read, and none is to be left out. ``native_fps`` is what the source says of itself, where it says so,
    ``codec`` how its pictures are compressed.
    ``dropped`` counts pictures that were not let through, by reason.
    """

    name: str
    real_time: bool
    native_fps: float | None
    codec: str | None
    dropped: Counter[str]

    def read(self) -> Frame:
        """The next picture, waiting for it. Raises ``CameraError``."""

    def close(self) -> None:
        """Free the source; may be called twice."""


def frame_now(camera: str, index: int, bgr: Bytes, file_time: float | None = None) -> Frame:
    """A frame captured at this moment; ``file_time`` as in ``Frame``."""
    return Frame(camera, index, bgr, captured_at=time.monotonic(), wall_time=time.time(), file_time=file_time)

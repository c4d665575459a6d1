"""The one protocol behind which webcams, network streams, files and the demo scene stand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from models.arrays import Bytes
from realtime.cameras.address import scheme_of
from realtime.settings.config import CameraConfig
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


@dataclass(frozen=True)
class CameraKind:
    """A kind of source: which source strings are its own, and how one is opened.

    ``open`` gets the camera's whole configuration and takes the options that are its own from it. It raises
    ``CameraError`` where the source gives no pictures and ``BadInput`` where the string is none.
    ``nature``: ``live`` waits for nobody and may be away; a ``file`` ends, and no reconnecting brings it back;
    a ``scene`` is made here.
    ``schemes`` are its addresses' (``rtsp``), ``takes`` says of a source without address whether it is its own.
    """

    name: str
    nature: Literal["live", "file", "scene"]
    open: Callable[[CameraConfig], Camera]
    schemes: tuple[str, ...] = ()
    takes: Callable[[str], bool] = lambda source: False

    def is_of(self, source: str) -> bool:
        return scheme_of(source) in self.schemes or self.takes(source)


def frame_now(
    camera: str, index: int, bgr: Bytes, file_time: float | None = None, *, taken_at: float | None = None
) -> Frame:
    """A frame captured at this moment, or at ``taken_at`` (monotonic); ``file_time`` as in ``Frame``."""
    now = time.monotonic()
    at = now if taken_at is None else min(taken_at, now)
    return Frame(camera, index, bgr, captured_at=at, wall_time=time.time() - (now - at), file_time=file_time)

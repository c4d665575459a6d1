"""The embedded scene as a camera, at its own rate."""

from __future__ import annotations

import time
from collections import Counter

from realtime.cameras.camera import frame_now
from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.cameras.states import CameraError, Cause
from realtime.types import Frame


class DemoCamera:
    """Plays ``scene`` at 25 frames per second, or frame by frame as fast as they are read.

    A reader that is late gets the frame that is due now: like a camera, the scene goes on.
    ``frames`` ends it there (``END_OF_FILE``); None plays for ever.
    """

    def __init__(
        self, scene: DemoScene, *, name: str = "demo", every_frame: bool = False, frames: int | None = None
    ) -> None:
        self.name = name
        self.real_time = not every_frame
        self.native_fps: float | None = FPS
        self.codec: str | None = None
        self.dropped: Counter[str] = Counter()
        self._scene = scene
        self._frames = frames
        self._index = -1
        self._started_at: float | None = None

    def read(self) -> Frame:
        now = time.monotonic()
        if self._started_at is None:
            self._started_at = now
        self._index += 1
        if self.real_time:
            self._index = max(self._index, int((now - self._started_at) * FPS))
            time.sleep(max(0.0, self._started_at + self._index / FPS - now))
        if self._frames is not None and self._index >= self._frames:
            raise CameraError(Cause.END_OF_FILE, "the demo scene has ended", permanent=True)
        file_time = None if self.real_time else self._index / FPS
        return frame_now(self.name, self._index, self._scene.frame(self._index), file_time)

    def close(self) -> None:
        """Nothing is held open."""

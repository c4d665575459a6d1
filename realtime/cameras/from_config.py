"""From a configured camera to its capture thread."""

from __future__ import annotations

from collections.abc import Callable

from realtime.cameras.camera import Camera
from realtime.cameras.decode import KEY_FRAME_WAIT
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.open import is_file, open_camera
from realtime.settings.config import CameraConfig

_GRACE = 10.0  # seconds on top of a camera's own time-outs and patience, before these count as failed


def capture_from(config: CameraConfig, *, worn: Callable[[Camera], Camera] = lambda camera: camera) -> NewestFrame:
    """A capture thread for ``config``, not yet started. ``worn`` changes what the opened camera gives."""

    ends = is_file(config.source)
    return NewestFrame(
        config.name,
        lambda: worn(open_camera(config)),
        every_frame=config.every_frame,
        max_frame_age=config.max_frame_age,
        # Opening a network stream has two phases (connecting, finding the streams), each with the time-out.
        stuck_after=None if ends else max(2 * config.open_timeout + config.read_timeout, KEY_FRAME_WAIT) + _GRACE,
    )

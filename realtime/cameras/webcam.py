"""A camera of this computer, through OpenCV."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from realtime.cameras.camera import CameraKind, frame_now
from realtime.cameras.states import CameraError, Cause
from realtime.settings.config import CameraConfig
from realtime.types import Frame

_ADVICE = "check its number and that it is plugged in, or give the address of a camera on the network"


class Webcam:
    """Pictures of a local camera, by its number or (Linux) device path.

    OpenCV has no time-out for local cameras (Linux gives up after ten seconds by itself); a read that hangs for
    longer is the watchdog's business. ``width``, ``height`` and ``fps`` are wishes that a camera may ignore.
    """

    real_time = True

    def __init__(
        self,
        device: int | str = 0,
        *,
        name: str | None = None,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
    ) -> None:
        self.device = device
        self.name = name or f"webcam {device}"
        self.dropped: Counter[str] = Counter()
        self._index = 0
        silence_opencv()
        if sys.platform.startswith("linux"):
            path = Path(f"/dev/video{device}" if isinstance(device, int) else device)
            if not path.exists():
                raise CameraError(Cause.NOT_FOUND, f"there is no camera {device} ({_present()})", advice=_ADVICE)
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(
                Cause.NOT_FOUND, f"camera {device} cannot be opened, or another program uses it", advice=_ADVICE
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for wish, value in ((cv2.CAP_PROP_FRAME_WIDTH, width), (cv2.CAP_PROP_FRAME_HEIGHT, height)):
            if value is not None:
                self._capture.set(wish, value)
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, fps)
        self.native_fps = self._capture.get(cv2.CAP_PROP_FPS) or None
        fourcc = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        self.codec = fourcc.to_bytes(4, "little", signed=True).decode("ascii", "replace").strip("\0 ") or None

    def read(self) -> Frame:
        good, bgr = self._capture.read()
        if not good or bgr is None:
            raise CameraError(Cause.DISCONNECTED, f"camera {self.device} gives no more pictures", advice=_ADVICE)
        if bgr.ndim == 2:  # infrared cameras
            bgr = cv2.cvtColor(bgr, cv2.COLOR_GRAY2BGR)
        self._index += 1
        return frame_now(self.name, self._index - 1, np.asarray(bgr, np.uint8))

    def close(self) -> None:
        self._capture.release()


def silence_opencv() -> None:
    """OpenCV's own warnings are in nobody's language, and may name addresses; errors are told by exceptions."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _present() -> str:
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"found: {', '.join(found)}" if found else "this computer has none"


def _device(source: str) -> int | str | None:
    if source.isascii() and source.isdigit():
        return int(source)
    if source.startswith("/dev/video"):
        return source
    if source.startswith("/dev/v4l/") or Path(source).is_char_device():  # udev's names for it, and links to them
        return os.path.realpath(source) if Path(source).exists() else source
    return None


def _open(config: CameraConfig) -> Webcam:
    device = _device(config.source)
    assert device is not None
    return Webcam(device, name=config.name, width=config.width, height=config.height, fps=config.fps)


KIND = CameraKind("webcam", "live", _open, takes=lambda source: _device(source) is not None)

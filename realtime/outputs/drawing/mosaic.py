"""The newest drawn pictures of all cameras as one picture, for the window."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import Bytes
from realtime.cameras.states import CameraStatus
from realtime.outputs.drawing.style import PALE
from realtime.outputs.drawing.text import put
from realtime.outputs.recording.video_writer import fitted
from realtime.types import Frame

TILE = (640, 360)  # width, height of one of several cameras, pixels


class Mosaic:
    """Takes pictures from every display thread; gives one to the main thread, which alone may touch a window.

    A single camera keeps its size. Several are shown side by side in their configured order, each fitted into a
    tile; one that has not sent a picture yet has its name and state there.
    """

    def __init__(self, statuses: Callable[[], Sequence[CameraStatus]]) -> None:
        self._statuses = statuses
        self._pictures: dict[str, Bytes] = {}
        self._news = False
        self._changed = threading.Condition()

    def put(self, frame: Frame, picture: Bytes) -> None:
        """Take a drawn picture (H, W, 3) BGR; it must not be changed afterwards."""
        with self._changed:
            self._pictures[frame.camera] = picture
            self._news = True
            self._changed.notify_all()

    def next(self, timeout: float) -> Bytes | None:
        """The newest picture (H, W, 3) BGR, waiting for news up to ``timeout`` seconds; None without any."""
        with self._changed:
            self._changed.wait_for(lambda: self._news, timeout)
            if not self._news:
                return None
            self._news = False
            pictures = dict(self._pictures)
        cameras = self._statuses()
        return pictures[cameras[0].name] if len(cameras) == 1 else tiled(cameras, pictures)


def tiled(cameras: Sequence[CameraStatus], pictures: dict[str, Bytes]) -> Bytes:
    """Pictures (by camera, any size) in a grid about as wide as high; black where there is none."""
    wide, high = TILE
    columns = math.ceil(math.sqrt(len(cameras)))
    rows = math.ceil(len(cameras) / columns)
    whole = np.zeros((rows * high, columns * wide, 3), np.uint8)
    for number, camera in enumerate(cameras):
        row, column = divmod(number, columns)
        tile = whole[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
        picture = pictures.get(camera.name)
        if picture is None:
            put(tile, f"{camera.name}: {camera.state.value}", (16, 16), 16, PALE)
        else:
            tile[:] = fitted(picture, wide, high)
    return whole

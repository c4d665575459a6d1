"""What is measured on: the embedded demo scene as crops, as frames with several faces, and as a camera.

The camera plays H.264 that was encoded before, so that capturing costs what decoding costs, and loops back and
forth, so that nothing jumps. One tile per face; the tiles show different moments and different acts.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from models.arrays import Bytes
from realtime.cameras.camera import frame_now
from realtime.cameras.demo_scene import ACTS, FPS, HEIGHT, WIDTH, DemoScene
from realtime.cameras.states import CameraError, Cause
from realtime.cameras.video_file import VideoFile
from realtime.faces.align import crop_face
from realtime.types import Frame

CLEAN, ATTACKED, INNOCENT = range(3)  # indices into ACTS
MOST_FACES = 8  # in one picture of 640 x 480; smaller tiles would fall below the quality gate
_MOMENTS = 37  # frames between the moments that neighbouring tiles show
_LATE = 0.5


def crops_of(scene: DemoScene, act: int, size: int, count: int, *, first: int = 0) -> Bytes:
    """(count, size, size, 3) RGB crops of one act, cut out by the scene's own landmarks, a fifth of a second apart."""
    indices = [first + 5 * step for step in range(count)]
    return np.stack([crop_face(scene.frame(index, act), scene.landmarks(index), size) for index in indices])


def frames_of(scene: DemoScene, count: int, *, step: int = 2) -> list[Frame]:
    """``count`` frames, their acts in equal parts, as a file read frame by frame gives them."""
    frames = []
    for index in range(count):
        picture = scene.frame(index * step, min(index * len(ACTS) // count, len(ACTS) - 1))
        frames.append(Frame("scene", index, picture, index * step / FPS, 0.0))
    return frames


def tiled(scene: DemoScene, index: int, faces: int) -> Bytes:
    """Frame ``index`` with ``faces`` faces, (480, 640, 3) BGR.

    Raises:
        ValueError: fewer than one or more than ``MOST_FACES``.
    """
    if not 1 <= faces <= MOST_FACES:
        raise ValueError(f"1 to {MOST_FACES} faces fit into a picture, got {faces}")
    if faces == 1:
        return scene.frame(index)
    columns, rows = (2, 1) if faces == 2 else (2, 2) if faces <= 4 else (4, 2)
    width, height = WIDTH // columns, HEIGHT // rows
    picture = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    for face in range(faces):
        tile = _tile(scene.frame(index + face * _MOMENTS, (scene.act(index) + face) % len(ACTS)), width, height)
        x, y = face % columns * width, face // columns * height
        picture[y : y + height, x : x + width] = tile
    return picture


def _tile(frame: Bytes, width: int, height: int) -> Bytes:
    """The middle of the frame, where the face is, as large as the tile allows."""
    scale = max(height / HEIGHT, 0.5)
    x = round((WIDTH - width / scale) / 2)
    y = round((HEIGHT - height / scale) * 0.42)
    part = frame[y : y + round(height / scale), x : x + round(width / scale)]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def write_clip(path: Path, scene: DemoScene, faces: int, seconds: float) -> None:
    """The tiled scene as H.264 (MPEG-4 where PyAV has no libx264), forwards and then backwards."""
    order = list(range(round(seconds * FPS / 2)))
    with av.open(str(path), "w") as film:
        name = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream: Any = film.add_stream(name, rate=round(FPS))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "16", "preset": "veryfast", "g": "25"} if name == "libx264" else {"qscale": "2"}
        pictures = {index: tiled(scene, index, faces) for index in order}
        for index in order + order[::-1]:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pictures[index], format="bgr24")))
        film.mux(stream.encode(None))


class LoopedVideo:
    """A file as a camera that never ends, at the file's rate.

    ``cut_after``: seconds after which the connection breaks (the capture thread then connects again); None: never.
    """

    def __init__(self, path: Path, *, name: str, cut_after: float | None = None) -> None:
        self.name = name
        self.real_time = True
        self.dropped: Counter[str] = Counter()
        self._path, self._cut_after = path, cut_after
        self._file = VideoFile(path, name=name, every_frame=True)
        self.native_fps, self.codec = self._file.native_fps, self._file.codec
        self._index = -1
        self._opened_at = self._starts_at = time.monotonic()

    def read(self) -> Frame:
        if self._cut_after is not None and time.monotonic() - self._opened_at > self._cut_after:
            raise CameraError(Cause.DISCONNECTED, f"{self.name} was cut on purpose")
        picture = self._next_picture()
        self._index += 1
        delay = self._starts_at + self._index / (self.native_fps or FPS) - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        elif delay < -_LATE:
            self._starts_at -= delay
        return frame_now(self.name, self._index, picture)

    def close(self) -> None:
        self._file.close()

    def _next_picture(self) -> Bytes:
        try:
            return self._file.read().bgr
        except CameraError as error:
            if error.cause is not Cause.END_OF_FILE:
                raise
        self._file.close()
        self._file = VideoFile(self._path, name=self.name, every_frame=True)
        return self._file.read().bgr

"""Recordings of a run: one MP4 per camera."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from realtime.outputs.video_writer import VideoRecorder
from realtime.types import Bytes, Frame


class Recordings:
    """Records what is displayed of every camera; a context manager.

    ``every_frame``: each frame becomes one of the recording, however long it took until it was shown; otherwise
    the recording runs as the display did, and never holds it up.
    Raises ``BadInput`` at once where a file cannot be written, see ``VideoRecorder``.
    """

    def __init__(self, path: Path, cameras: Sequence[str], fps: float, *, every_frame: bool = False) -> None:
        self._fps, self._every_frame = fps, every_frame
        with ExitStack() as stack:
            self._recorders = {
                name: stack.enter_context(VideoRecorder(file, fps=fps))
                for name, file in recording_files(path, cameras).items()
            }
            self._open = stack.pop_all()

    def show(self, frame: Frame, picture: Bytes) -> None:
        """For the pipeline: a picture was drawn. Timed now: an old picture that is shown again counts too."""
        recorder = self._recorders[frame.camera]
        if not self._every_frame:
            recorder.write(picture, time.monotonic())
            return
        while not recorder.write(picture, frame.index / self._fps) and recorder.error is None:
            time.sleep(0.005)  # the encoder lags behind

    def __enter__(self) -> Recordings:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def recording_files(path: Path, cameras: Sequence[str]) -> dict[str, Path]:
    """The file of each camera: ``path`` for an only one, ``seen-front_door.mp4`` for one of several."""
    if len(cameras) == 1:
        return {cameras[0]: path}
    return {name: path.with_name(f"{path.stem}-{name.replace(' ', '_')}{path.suffix}") for name in cameras}

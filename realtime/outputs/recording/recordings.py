"""Recordings of a run: one MP4 per camera."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from models.arrays import Bytes
from models.errors import BadInput
from realtime.outputs.recording.video_writer import VideoRecorder
from realtime.types import Frame


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
        recorder = self._recorders.get(frame.camera)
        if recorder is None:  # not to be recorded
            return
        if not self._every_frame:
            recorder.write(picture, time.monotonic())
            return
        while not recorder.write(picture, frame.index / self._fps) and recorder.error is None:
            time.sleep(0.005)  # the encoder lags behind

    def finished(self) -> list[Path]:
        """Once it is closed: the files that are whole."""
        return [recorder.path for recorder in self._recorders.values() if recorder.kept == recorder.path]

    def failures(self) -> list[str]:
        """Once it is closed: a line for every recording that ended before the run, and where its beginning lies."""
        lines = []
        for recorder in self._recorders.values():
            if recorder.error is not None:
                kept = "nothing was kept" if recorder.kept is None else f"what came before is in {recorder.kept}"
                lines.append(f"{recorder.error}; {kept}; make room, or record elsewhere")
        return lines

    def __enter__(self) -> Recordings:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def recording_files(path: Path, cameras: Sequence[str]) -> dict[str, Path]:
    """The file of each camera: ``path`` for an only one, ``seen-front_door.mp4`` for one of several.

    Raises ``BadInput`` where two would be the same.
    """
    if len(cameras) == 1:
        return {cameras[0]: path}
    files: dict[str, Path] = {}
    for name in cameras:
        file = path.with_name(f"{path.stem}-{name.replace(' ', '_')}{path.suffix}")
        for other, taken in files.items():
            if file == taken:
                raise BadInput(f"cameras: '{other}' and '{name}' would both be recorded as {file}; rename one of them")
        files[name] = file
    return files

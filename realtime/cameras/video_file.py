"""A video file, at its own rate or frame by frame."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from realtime.cameras.address import scheme_of
from realtime.cameras.camera import CameraKind, frame_now
from realtime.cameras.decode import MAX_PIXELS, Picture, PictureDecoder
from realtime.cameras.media_errors import explain
from realtime.cameras.pace import Pace
from realtime.cameras.states import CameraError, Cause
from realtime.cameras.upright import main_video
from realtime.settings.config import CameraConfig
from realtime.types import Frame

_MISSING = 1.0  # seconds short of what the header says, from which on a file counts as truncated
_ADVICE = {
    Cause.NOT_FOUND: "check the file's name",
    Cause.UNAUTHORISED: "check who may read the file",
    Cause.DECODE_ERROR: "check that it is a video; ffmpeg -i IN -c copy OUT mends many damaged files",
}


class VideoFile:
    """Pictures of a file.

    Played at the file's own rate (``every_frame=False``) it behaves like a live camera: ``read`` returns when
    the picture is due. With ``every_frame`` it returns at once. All errors are permanent: the last one is
    ``END_OF_FILE``, or ``DECODE_ERROR`` where the file ends before its header says. Times never go back: where
    the clock in the file does (recordings joined with ``cat``), they go on.
    """

    def __init__(self, path: str | Path, *, name: str | None = None, every_frame: bool = False) -> None:
        self.path = Path(path)
        self.name = name or self.path.name
        self.real_time = not every_frame
        self._index = 0
        self._container = self._open()
        try:
            self._stream = main_video(self._container)
        except LookupError:
            self._container.close()
            raise self._error(Cause.DECODE_ERROR, "holds no video") from None
        size = self._stream.codec_context.width, self._stream.codec_context.height
        if size[0] * size[1] > MAX_PIXELS:
            self._container.close()
            pixels = f"{size[0]} x {size[1]} pixels, more than {MAX_PIXELS // 1_000_000} million"
            raise self._error(Cause.DECODE_ERROR, f"has pictures of {pixels}; scale it down")
        self._decoder = PictureDecoder(self._container, self._stream)
        self.native_fps = self._decoder.fps
        self.codec: str | None = self._decoder.codec
        self.dropped: Counter[str] = self._decoder.dropped
        self._duration = _video_seconds(self._container, self._stream)
        if self._ends_before_its_index():
            self.close()
            raise self._error(Cause.DECODE_ERROR, "is truncated: its index names pictures behind the end of the file")
        self._pictures = self._decoder.pictures()
        self._pace = Pace(self.native_fps)

    def read(self) -> Frame:
        picture = self._next_picture()
        at = self._pace.time_of(picture.time)
        if self.real_time:
            self._pace.wait_until(at)
        self._index += 1
        return frame_now(self.name, self._index - 1, picture.bgr, None if self.real_time else at)

    def close(self) -> None:
        self._container.close()

    def _open(self) -> InputContainer:
        if self.path.is_dir():
            raise self._error(Cause.NOT_FOUND, "is a folder, not a video")
        if not self.path.exists():
            raise self._error(Cause.NOT_FOUND, "does not exist")
        try:
            # "file:" keeps libav from reading a name with a colon as an address.
            return av.open(f"file:{self.path}", metadata_errors="replace")
        except av.error.InvalidDataError:
            raise self._error(Cause.DECODE_ERROR, "is not a video, or is truncated") from None
        except (av.error.FFmpegError, ValueError) as error:
            raise self._error(*explain(error)) from None

    def _next_picture(self) -> Picture:
        try:
            picture = next(self._pictures, None)
        except av.error.FFmpegError:
            picture = None
            if self._duration is None:
                raise self._error(Cause.DECODE_ERROR, f"breaks off after {self._index} pictures") from None
        if picture is not None:
            return picture
        if self._index == 0:
            raise self._error(Cause.DECODE_ERROR, "holds no picture that can be decoded")
        end = self._pace.last_stamp + 1 / (self.native_fps or 25.0)
        if self._duration is not None and end < self._duration - max(_MISSING, 0.02 * self._duration):
            shown = f"{end:.1f} of {self._duration:.1f} seconds could be read"
            raise self._error(Cause.DECODE_ERROR, f"is truncated or damaged: {shown}")
        raise self._error(Cause.END_OF_FILE, "has ended")

    def _ends_before_its_index(self) -> bool:
        stream = self._stream
        if "mp4" not in self._container.format.name or not self.path.is_file():
            return False  # nobody knows where a pipe ends
        last = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
        return last > self.path.stat().st_size

    def _error(self, cause: Cause, what: str, advice: str | None = None) -> CameraError:
        return CameraError(cause, f"{self.path} {what}", permanent=True, advice=advice or _ADVICE.get(cause))


def _video_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """Length of the video as its header gives it; None where that may be the sound's length, or is unknown."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    text = stream.metadata.get("DURATION", "")  # Matroska: 00:00:04.000000000
    parts = text.split(":")
    if len(parts) == 3:
        try:
            return 3600 * int(parts[0]) + 60 * int(parts[1]) + float(parts[2])
        except ValueError:
            return None
    if len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base
    return None


def _open(config: CameraConfig) -> VideoFile:
    path = Path(config.source.removeprefix("file://"))
    return VideoFile(path, name=config.name, every_frame=config.every_frame)


KIND = CameraKind("file", "file", _open, schemes=("file",), takes=lambda source: scheme_of(source) is None)

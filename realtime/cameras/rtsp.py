"""A network stream: RTSP (over TCP unless told otherwise), HTTP or MJPEG, decoded through PyAV.

Not through OpenCV: its FFmpeg back end hides decoder errors, and a dead camera hangs it for thirty seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Literal

import av
import av.error
from av.container import InputContainer

from realtime.cameras.address import Address, parse_address
from realtime.cameras.camera import CameraKind, frame_now
from realtime.cameras.decode import KEY_FRAME_WAIT, OnlyDamage, PictureDecoder
from realtime.cameras.media_errors import explain
from realtime.cameras.packets import LivePackets
from realtime.cameras.states import CameraError, Cause
from realtime.cameras.upright import main_video
from realtime.settings.config import CameraConfig
from realtime.types import Frame

Transport = Literal["tcp", "udp"]

# What counts is the age of a picture: at most a second to find size and codec, and none to measure the rate (0.3 s
# instead of 1.0 s until the first picture). Not "fflags nobuffer": it throws away what was read while looking for the
# streams, the first key frame with it.
_LOW_DELAY = {"flags": "low_delay", "max_delay": "500000", "analyzeduration": "1000000", "fpsprobesize": "0"}


class NetworkStream:
    """Pictures of a stream as they arrive.

    ``open_timeout`` bounds connecting and finding the streams (each), ``read_timeout`` every read, ``patience``
    the time in which data comes but no good picture; all in seconds. A picture's capture time is when the camera took
    it, as far as the stream's own time tells (see ``StreamClock``); what could only be shown older than
    ``max_frame_age`` is not decoded, where something newer waits.
    """

    real_time = True

    def __init__(
        self,
        source: str | Address,
        *,
        name: str | None = None,
        open_timeout: float = 5.0,
        read_timeout: float = 5.0,
        transport: Transport = "tcp",
        max_frame_age: float = 1.0,
        patience: float = KEY_FRAME_WAIT + 5.0,
    ) -> None:
        self.address = source if isinstance(source, Address) else parse_address(source)
        self.name = name or self.address.shown
        self._index = 0
        self._read_timeout = read_timeout
        container = self._open(open_timeout, read_timeout, transport)
        try:
            stream = main_video(container)
        except LookupError:
            container.close()
            raise self._error(Cause.DECODE_ERROR, "sends no video") from None
        self._packets = LivePackets(container, stream, read_timeout=read_timeout, max_age=max_frame_age)
        try:
            self._decoder = PictureDecoder(container, stream, packets=self._packets, patience=patience)
        except BaseException:
            self._packets.close()
            raise
        self.native_fps = self._decoder.fps
        self.codec: str | None = self._decoder.codec
        self.dropped: Counter[str] = self._decoder.dropped
        self._pictures = self._decoder.pictures()

    def read(self) -> Frame:
        try:
            picture = next(self._pictures, None)
        except av.error.FFmpegError as error:
            waited = time.monotonic() - self._packets.waiting_since
            cause, what = explain(error, waited=waited, timeout=self._read_timeout)
            if cause is Cause.UNREACHABLE:  # it was there
                cause, what = Cause.DISCONNECTED, "cut the connection"
            raise self._error(cause, what) from None
        except OnlyDamage:
            what = "sends only damaged pictures" if self.dropped["corrupt"] else "sends no key frame"
            raise self._error(Cause.DECODE_ERROR, what) from None
        if picture is None:
            raise self._error(Cause.DISCONNECTED, "ended the stream")
        self._index += 1
        if late := self._packets.count_left_out():
            self.dropped["late"] += late
        return frame_now(self.name, self._index - 1, picture.bgr, taken_at=picture.taken_at)

    def close(self) -> None:
        self._packets.close()

    def _open(self, open_timeout: float, read_timeout: float, transport: Transport) -> InputContainer:
        options = dict(_LOW_DELAY)
        if self.address.scheme.startswith("rtsp"):
            options["rtsp_transport"] = transport
            options["allowed_media_types"] = "video"
        started = time.monotonic()
        try:
            return av.open(
                self.address.url, options=options, timeout=(open_timeout, read_timeout), metadata_errors="replace"
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise self._error(*explain(error, waited=time.monotonic() - started, timeout=open_timeout)) from None

    def _error(self, cause: Cause, what: str) -> CameraError:
        return CameraError(cause, f"{self.address.shown} {what}")


def _open(config: CameraConfig) -> NetworkStream:
    return NetworkStream(
        parse_address(config.source),
        name=config.name,
        open_timeout=config.open_timeout,
        read_timeout=config.read_timeout,
        transport=config.transport,
        max_frame_age=config.max_frame_age,
    )


KIND = CameraKind("network", "live", _open, schemes=("rtsp", "rtsps", "http", "https"))

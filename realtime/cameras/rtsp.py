"""A network stream: RTSP (over TCP unless told otherwise), HTTP or MJPEG, decoded through PyAV.

Not through OpenCV: its FFmpeg back end hides decoder errors, and a dead camera hangs it for thirty seconds.
"""

from __future__ import annotations

import errno
import time
from collections import Counter
from contextlib import suppress
from typing import Literal

import av.error
import av.logging
from av.container import InputContainer

from realtime.cameras.address import Address, parse_address
from realtime.cameras.camera import CameraKind, frame_now
from realtime.cameras.challenge import asks_for_sha256, first_bytes, holds_jpeg, is_page
from realtime.cameras.decode import KEY_FRAME_WAIT, OnlyDamage, PictureDecoder
from realtime.cameras.hardware import open_container
from realtime.cameras.media_errors import (
    NO_HOST,
    NO_INTERFACE,
    NO_VIDEO,
    SHA256,
    SINGLE_PICTURE,
    WEB_PAGE,
    Trouble,
    explain,
)
from realtime.cameras.pace import Pace
from realtime.cameras.packets import LivePackets, listen_to_libav
from realtime.cameras.states import CameraError, Cause
from realtime.cameras.upright import main_video
from realtime.settings.config import CameraConfig
from realtime.types import Frame

Transport = Literal["tcp", "udp"]

# What counts is the age of a picture: at most a second to find size and codec, and none to measure the rate (0.3 s
# instead of 1.0 s until the first picture). Not "fflags nobuffer": it throws away what was read while looking for the
# streams, the first key frame with it.
_LOW_DELAY = {"flags": "low_delay", "max_delay": "500000", "analyzeduration": "1000000", "fpsprobesize": "0"}
_SIZE_SAYS_NOTHING = {"hls", "dash", "mpjpeg", "mjpeg"}  # of lists of parts; and what cameras make up for endless JPEGs
_NOT_DECODED = Trouble(Cause.DECODE_ERROR, "sends no video that can be decoded")


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
        patience: float = KEY_FRAME_WAIT + 2.0,
        hardware: bool = False,
    ) -> None:
        self.address = source if isinstance(source, Address) else parse_address(source)
        self.name = name or self.address.shown
        self._index = 0
        self._hardware = hardware
        self._timeouts = (open_timeout, read_timeout)
        self._max_age, self._patience = max_frame_age, patience
        self._start(self._open(transport))

    def _start(self, container: InputContainer) -> None:
        self._container = container
        try:
            stream = main_video(container)
        except LookupError:
            trouble = Trouble(*NO_VIDEO) if container.streams.audio else Trouble(Cause.DECODE_ERROR, "sends no video")
            container.close()
            raise self._error(trouble) from None
        # A recording behind an address is played once, at its own rate; what is live is read as it comes.
        self._pace = Pace(None) if _is_recording(self.address, container) else None
        self._packets: LivePackets | None = None
        if self._pace is None:
            self._packets = LivePackets(container, stream, read_timeout=self._timeouts[1], max_age=self._max_age)
        try:
            self._decoder = PictureDecoder(container, stream, packets=self._packets, patience=self._patience)
        except BaseException:
            self.close()
            raise
        self.native_fps = self._decoder.fps
        self.codec: str | None = self._decoder.codec
        self.dropped: Counter[str] = self._decoder.dropped
        self._pictures = self._decoder.pictures()

    def read(self) -> Frame:
        try:
            picture = next(self._pictures, None)
        except av.error.InvalidDataError:
            if self._container.format.name != "mpjpeg" or self._index:
                raise self._error(_NOT_DECODED) from None
            self.close()  # parts that do not say what they are: JPEGs may be found in them all the same
            self._start(self._looked_at(_NOT_DECODED, dict(_LOW_DELAY)))
            return self.read()
        except av.error.FFmpegError as error:
            raise self._error(self._trouble_of(error)) from None
        except OnlyDamage:
            what = "sends only damaged pictures" if self.dropped["corrupt"] else "sends no key frame"
            raise self._error(Trouble(Cause.DECODE_ERROR, what)) from None
        if picture is None:
            if self._pace is not None and self._index:
                raise CameraError(Cause.END_OF_FILE, f"{self.address.shown} has ended", permanent=True)
            raise self._error(self._if_it_was_more(Trouble(Cause.DISCONNECTED, "ended the stream")))
        self._index += 1
        if self._pace is not None:
            self._pace.wait_until(self._pace.time_of(picture.time))
        if self._packets is not None and (late := self._packets.count_left_out()):
            self.dropped["late"] += late
        return frame_now(self.name, self._index - 1, picture.bgr, taken_at=picture.taken_at)

    def close(self) -> None:
        if self._packets is not None:
            self._packets.close()
        else:
            self._container.close()

    def _trouble_of(self, error: av.error.FFmpegError) -> Trouble:
        waited = time.monotonic() - self._packets.waiting_since if self._packets is not None else 0.0
        trouble = explain(error, waited=waited, timeout=self._timeouts[1])
        if trouble.cause is Cause.UNREACHABLE:  # it was there
            return self._if_it_was_more(Trouble(Cause.DISCONNECTED, "cut the connection"))
        return trouble

    def _if_it_was_more(self, trouble: Trouble) -> Trouble:
        """The end of a stream, unless that was no stream."""
        alone = self._container.format.name == "mjpeg" and self._index <= 1
        return Trouble(*SINGLE_PICTURE) if alone else trouble

    def _open(self, transport: Transport) -> InputContainer:
        options = dict(_LOW_DELAY)
        if self.address.scheme.startswith("rtsp"):
            options["rtsp_transport"] = transport
            options["allowed_media_types"] = "video"
        started = time.monotonic()
        listen_to_libav()
        with av.logging.Capture(local=True) as log:
            try:
                container = self._opened(options)
            except (av.error.FFmpegError, ValueError) as error:
                waited = time.monotonic() - started
                trouble = explain(error, waited=waited, timeout=self._timeouts[0], log=log)
                if getattr(error, "errno", None) == errno.EINVAL:  # of connect()
                    trouble = Trouble(*NO_INTERFACE)
                return self._looked_at(trouble, options)
        if _is_single_picture(container):
            container.close()
            return self._looked_at(Trouble(*SINGLE_PICTURE), options)
        return container

    def _opened(self, options: dict[str, str], format: str | None = None) -> InputContainer:
        url = self.address.url
        how = {"format": format, "options": options, "timeout": self._timeouts, "metadata_errors": "replace"}
        return open_container(url, hardware=self._hardware, **how)

    def _looked_at(self, trouble: Trouble, options: dict[str, str]) -> InputContainer:
        """Where the container's format is not known: JPEGs in whatever wrapping, or a better word of what it is."""
        if trouble.cause is Cause.UNAUTHORISED and "@" in self.address.url and asks_for_sha256(self.address):
            trouble = Trouble(*SHA256)
        unknown = trouble.cause is Cause.DECODE_ERROR or trouble.words == NO_HOST
        if not unknown or not self.address.scheme.startswith("http"):
            raise self._error(trouble)
        content = first_bytes(self.address, self._timeouts)
        if holds_jpeg(content):
            with suppress(av.error.FFmpegError):
                return self._opened({**options, "analyzeduration": "40000"}, "mjpeg")  # each JPEG says all of itself
            trouble = Trouble(*SINGLE_PICTURE)
        elif is_page(content):
            trouble = Trouble(*WEB_PAGE)
        raise self._error(trouble)

    def _error(self, trouble: Trouble) -> CameraError:
        return CameraError(trouble.cause, f"{self.address.shown} {trouble.words}", advice=trouble.advice)


def _is_recording(address: Address, container: InputContainer) -> bool:
    """Whether it has an end: it says how long it lasts, or how many bytes it is."""
    if not address.scheme.startswith("http"):
        return False
    measured = container.format.name not in _SIZE_SAYS_NOTHING and container.size > 0
    return measured or bool(container.duration)


def _is_single_picture(container: InputContainer) -> bool:
    return container.format.name == "image2" or container.format.name.endswith("_pipe")


def _open(config: CameraConfig) -> NetworkStream:
    return NetworkStream(
        parse_address(config.source),
        name=config.name,
        open_timeout=config.open_timeout,
        read_timeout=config.read_timeout,
        transport=config.transport,
        max_frame_age=config.max_frame_age,
        hardware=config.hardware_decode,
    )


KIND = CameraKind("network", "live", _open, schemes=("rtsp", "rtsps", "http", "https"))

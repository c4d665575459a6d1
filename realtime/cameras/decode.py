"""Packets of a stream into pictures that can be trusted.

Decoders conceal damage: after a lost or damaged packet FFmpeg goes on giving smeared pictures, without any
flag, until the next key frame (measured: one flipped bit in an H.264 stream with a key frame a second leaves
1 flagged and about 20 unflagged smeared frames). OpenCV hides even the flag. So packets are decoded here one
by one, and from the first sign of damage on nothing is let through before the next key frame.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import av
import av.error
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from models.arrays import Bytes
from realtime.cameras.h264 import FrameNumbers

KEY_FRAME_WAIT = 10.0
"""Seconds of pictures given up at most while waiting for a key frame; streams that refresh themselves row by
row have none, and have repaired themselves by then."""

_SIGNS_OF_DAMAGE = (
    "rtp: missed",
    "max delay reached",
    "concealing",
    "error while decoding mb",
    "could not find ref",
    "missing reference",
    "frame num gap",
    "eoi missing",
    "overread",
    "invalid nal unit size",
)
_GREY = 128  # what a decoder fills in for a picture that it never got, in luma and chroma


@dataclass(frozen=True)
class Picture:
    """One decoded picture; ``time`` is its presentation time in seconds, where the stream has one."""

    bgr: Bytes  # (H, W, 3)
    time: float | None


class OnlyDamage(Exception):
    """Data comes, but for too long no picture that can be trusted."""


class PictureDecoder:
    """Reads one video stream of an open container.

    ``dropped`` counts by reason: ``corrupt`` (flagged, undecodable, or smeared after such a one), ``grey``
    (the decoder's filling), ``repeated`` (no new timestamp). Errors of the container come out of ``pictures``.
    ``read_timeout``: the container's own, in seconds. ``patience``: seconds without a good picture after which
    ``pictures`` raises ``OnlyDamage``; None waits for ever.
    """

    def __init__(
        self, container: InputContainer, *, read_timeout: float | None = None, patience: float | None = None
    ) -> None:
        self._read_timeout, self._patience = read_timeout, patience
        self.dropped: Counter[str] = Counter()
        self.waiting_since = time.monotonic()  # when the newest packet was asked for
        self._container = container
        self._stream = container.streams.video[0]
        # Frame threads would hold back one picture per thread; one thread decodes 1080p several times faster
        # than it comes.
        self._stream.thread_type = "SLICE"
        self._stream.codec_context.thread_count = 1
        self._reformatter = VideoReformatter()
        self._damaged_at: float | None = None
        self._last_pts: int | None = None
        self._count = 0
        self.codec = self._stream.codec_context.name
        self._last_time: float | None = None
        self._numbers = FrameNumbers() if self._stream.codec_context.name == "h264" else None
        if self._numbers is not None and self._stream.codec_context.extradata:
            self._numbers.is_gap_before(self._stream.codec_context.extradata)  # the parameter sets
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate else None

    def pictures(self) -> Iterator[Picture]:
        """Every good picture until the stream ends. Raises ``av.error.FFmpegError`` of the container."""
        listen_to_decoder()
        good_at = time.monotonic()
        packets = self._container.demux(self._stream)
        while True:
            self.waiting_since = time.monotonic()
            with av.logging.Capture(local=True) as log:
                packet = next(packets, None)
            if packet is None:
                return
            if self._read_timeout is not None and time.monotonic() - self.waiting_since >= self._read_timeout:
                # Interrupted by the time-out, libav first hands out what its parser had left, and would wait anew.
                raise av.error.ExitError(0, "no data in time")
            damaged = packet.is_corrupt or _tells_of_damage(log) or self._is_gap_before(packet)
            with av.logging.Capture(local=True) as log:
                try:
                    frames: list[VideoFrame] = [f for f in packet.decode() if isinstance(f, VideoFrame)]
                except av.error.FFmpegError:
                    frames = []
                    damaged = True
                    self.dropped["corrupt"] += 1
            damaged = damaged or _tells_of_damage(log)
            for frame in frames:
                picture = self._checked(frame, damaged)
                if picture is not None:
                    yield picture
                    good_at = time.monotonic()
            if damaged and not frames:
                self._damaged_at = self._clock(None)
            if self._patience is not None and time.monotonic() - good_at > self._patience:
                raise OnlyDamage

    def _is_gap_before(self, packet: Packet[Any]) -> bool:
        return self._numbers is not None and packet.size > 0 and self._numbers.is_gap_before(bytes(packet))

    def _checked(self, frame: VideoFrame, damaged: bool) -> Picture | None:
        self._count += 1
        now = self._clock(frame.time)
        if damaged or frame.is_corrupt:
            self._damaged_at = now
            self.dropped["corrupt"] += 1
            return None
        if self._damaged_at is not None:
            if not frame.key_frame and abs(now - self._damaged_at) < KEY_FRAME_WAIT:
                self.dropped["corrupt"] += 1
                return None
            self._damaged_at = None
        if frame.pts is not None and frame.pts == self._last_pts:
            self.dropped["repeated"] += 1
            return None
        self._last_pts = frame.pts
        if is_decoder_grey(frame):
            self.dropped["grey"] += 1
            return None
        return Picture(self._as_bgr(frame), frame.time)

    def _clock(self, at: float | None) -> float:
        """Presentation time, or its estimate from the number of pictures where the stream has none."""
        if at is not None:
            self._last_time = at
            return at
        return self._last_time if self._last_time is not None else self._count / (self.fps or 25.0)

    def _as_bgr(self, frame: VideoFrame) -> Bytes:
        bgr = cast(Bytes, self._reformatter.reformat(frame, format="bgr24").to_ndarray())
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(bgr, turns)) if turns else bgr


def is_decoder_grey(frame: VideoFrame) -> bool:
    """Whether the picture is the flat mid-grey that decoders fill in, and nothing else.

    Night, fog and a covered lens are dark or noisy or have another grey; a picture is only taken for filling
    if luma and both chroma planes lie within 2 of 128 everywhere.
    """
    if not frame.format.name.startswith(("yuv420p", "yuvj420p", "nv12")) or "10" in frame.format.name:
        return False
    for plane in frame.planes:
        values = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        if abs(int(values[0, 0]) - _GREY) > 2:  # nearly every picture leaves here
            return False
        if int(values.min()) < _GREY - 2 or int(values.max()) > _GREY + 2:
            return False
    return True


def listen_to_decoder() -> None:
    """Let libav's warnings reach ``av.logging.Capture`` and nothing else: they name addresses with passwords."""
    if av.logging.get_level() is None:
        logging.getLogger("libav").setLevel(logging.CRITICAL + 1)
        av.logging.set_level(av.logging.WARNING)


def _tells_of_damage(log: list[Any]) -> bool:
    return any(sign in entry[2].lower() for entry in log for sign in _SIGNS_OF_DAMAGE)

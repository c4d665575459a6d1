"""Packets of a stream into pictures that can be trusted.

Decoders conceal damage: after a lost or damaged packet FFmpeg goes on giving smeared pictures, without any
flag, until the next key frame (measured: one flipped bit in an H.264 stream with a key frame a second leaves
1 flagged and about 20 unflagged smeared frames). OpenCV hides even the flag. So packets are decoded here one
by one, and from the first sign of damage on nothing is let through before the next key frame.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av.error
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.arrays import Bytes
from realtime.cameras.h264 import FrameNumbers, goes_on
from realtime.cameras.packets import Arrival, listen_to_libav, read_all, tells_of_damage
from realtime.cameras.upright import Upright, main_video

KEY_FRAME_WAIT = 30.0
"""Seconds of pictures given up at most while waiting for a key frame (cameras with 20 seconds between two are sold);
streams that refresh themselves row by row have none, and have repaired themselves by then."""

MAX_PIXELS = 8192 * 8192  # of a picture that is decoded; a small file can describe gigabytes
_GREY = 128  # what a decoder fills in for a picture that it never got, in luma and chroma


@dataclass(frozen=True)
class Picture:
    """One decoded picture.

    ``time`` is its presentation time in seconds, where the stream has one; ``taken_at`` when the camera took it,
    monotonic seconds, where it is live.
    """

    bgr: Bytes  # (H, W, 3)
    time: float | None
    taken_at: float | None = None


class OnlyDamage(Exception):
    """Data comes, but for too long no picture that can be trusted."""


class PictureDecoder:
    """Decodes one video stream of an open container.

    ``dropped`` counts by reason: ``corrupt`` (flagged, undecodable, or smeared after such a one), ``grey``
    (the decoder's filling), ``repeated`` (the same data under the same stamp), ``late`` (too old to be of use, while
    newer ones waited). Errors of the container come out of ``pictures``.

    Args:
        stream: of ``container``; None takes the one that ``main_video`` finds.
        packets: its packets; None reads them as fast as pictures are asked for.
        patience: seconds without a good picture after which ``pictures`` raises ``OnlyDamage``; None waits for ever.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream | None = None,
        *,
        packets: Iterable[Arrival] | None = None,
        patience: float | None = None,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._patience = patience
        self._stream = stream or main_video(container)
        self._packets = read_all(container, self._stream) if packets is None else packets
        self._context = self._stream.codec_context
        # Frame threads would hold back one picture per thread; one thread decodes 1080p several times faster
        # than it comes.
        self._stream.thread_type = "SLICE"
        self._context.thread_count = 1
        self._context.options = {**self._context.options, "max_pixels": str(MAX_PIXELS)}
        self._context.copy_opaque = True
        self._damaged_at: float | None = None
        self._last: Packet[Any] | None = None
        self._pieces = b""  # of a key picture
        self.codec = self._context.name
        self._upright = Upright(self._stream)
        self._stamps = _Stamps()
        parameters = self._context.extradata or b""
        has_start_codes = self._context.name == "h264" and not parameters.startswith(
            b"\x01"
        )  # as MP4 and Matroska have
        self._numbers = FrameNumbers() if has_start_codes else None
        if self._numbers is not None:
            self._numbers.is_gap_before(parameters)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate else None

    def pictures(self) -> Iterator[Picture]:
        """Every good picture until the stream ends. Raises ``av.error.FFmpegError`` of the container."""
        listen_to_libav()
        good_at = time.monotonic()
        for arrival in self._packets:
            if arrival.after_gap:
                self._damaged_at = arrival.at
            if self._is_repeated(arrival.packet):
                self.dropped["repeated"] += 1
            else:
                for frame in self._decoded(arrival):
                    picture = self._checked(frame, arrival)
                    if picture is not None:
                        yield picture
                        good_at = time.monotonic()
            if self._patience is not None and time.monotonic() - good_at > self._patience:
                raise OnlyDamage

    def _decoded(self, arrival: Arrival) -> list[VideoFrame]:
        damaged = arrival.damaged or self._is_gap_before(arrival.packet)
        packet = self._with_its_pieces(arrival.packet)
        if arrival.taken_at is not None:
            packet.opaque = arrival.taken_at  # not the arrival, which holds the packet: neither would ever be freed
        self._context.skip_frame = "NONREF" if arrival.behind else "DEFAULT"
        with av.logging.Capture(local=True) as log:
            try:
                frames: list[VideoFrame] = [f for f in packet.decode() if isinstance(f, VideoFrame)]
            except av.error.FFmpegError:
                frames = []
                damaged = True
                self.dropped["corrupt"] += 1
        if damaged or tells_of_damage(log):
            self._damaged_at = arrival.at
            self.dropped["corrupt"] += len(frames)
            return []
        return frames

    def _is_gap_before(self, packet: Packet[Any]) -> bool:
        return self._numbers is not None and packet.size > 0 and self._numbers.is_gap_before(bytes(packet))

    def _with_its_pieces(self, packet: Packet[Any]) -> Packet[Any]:
        """A key picture's later piece as one with the former ones.

        GStreamer's ``config-interval=-1`` repeats the parameters before each slice, where libav takes a new picture to
        begin; half a key picture alone is damaged, and so is all that follows.
        """
        if self._numbers is None or not (packet.is_keyframe or self._pieces):
            return packet
        content = bytes(packet)
        if not (self._pieces and goes_on(content)):
            self._pieces = content if packet.is_keyframe else b""
            return packet
        self._pieces += content
        whole = Packet(self._pieces)
        whole.stream, whole.pts, whole.dts, whole.time_base = packet.stream, packet.pts, packet.dts, packet.time_base
        return whole

    def _is_repeated(self, packet: Packet[Any]) -> bool:
        """Whether a frozen camera sends the last one again; clocks that stand still bear new pictures."""
        last, self._last = self._last, packet
        return (
            last is not None
            and packet.pts is not None
            and packet.pts == last.pts
            and packet.size == last.size > 0
            and bytes(packet) == bytes(last)
        )

    def _checked(self, frame: VideoFrame, arrival: Arrival) -> Picture | None:
        if frame.is_corrupt:
            self._damaged_at = arrival.at
            self.dropped["corrupt"] += 1
            return None
        if self._damaged_at is not None:
            if not frame.key_frame and arrival.at - self._damaged_at < KEY_FRAME_WAIT:
                self.dropped["corrupt"] += 1
                return None
            self._damaged_at = None
        if arrival.behind:
            self.dropped["late"] += 1
            return None
        if is_decoder_grey(frame):
            self.dropped["grey"] += 1
            return None
        own = frame.opaque if isinstance(frame.opaque, float) else arrival.taken_at  # decoders hold pictures back
        return Picture(self._upright.bgr(frame), self._stamps.time_of(frame), own)


class _Stamps:
    """Which of a picture's two stamps rises with the pictures: AVI has no presentation times, libav makes some up.

    As FFmpeg's own ``guess_correct_pts``: the kind that went back less often.
    """

    def __init__(self) -> None:
        self._last: list[int | None] = [None, None]
        self._faults = [0, 0]

    def time_of(self, frame: VideoFrame) -> float | None:
        """Seconds, or None where the picture has no stamp."""
        stamps = (frame.pts, frame.dts)
        for kind, stamp in enumerate(stamps):
            last = self._last[kind]
            if stamp is not None:
                self._faults[kind] += last is not None and stamp <= last
                self._last[kind] = stamp
        pts, dts = stamps
        chosen = pts if dts is None or (pts is not None and self._faults[0] <= self._faults[1]) else dts
        return None if chosen is None or frame.time_base is None else float(chosen * frame.time_base)


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

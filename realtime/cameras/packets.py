"""Packets of a container, each with the moment at which its picture was taken.

Those of a live stream are read in a thread of their own as soon as they come. When decoding falls behind, the queue
stands here, where its age is known, and not in a socket (measured with 8K pictures on two busy cores: 6 seconds of
them waited there unseen); and what cannot be shown in time any more need not be decoded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import av.error
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from realtime.cameras.stream_clock import StreamClock

_HOPELESS = 5.0  # seconds behind from which on only the next key frame helps
_MOST_BYTES = 64 << 20  # waiting; seconds of the densest streams
_FAREWELL = 0.5  # seconds that the thread has to end
_WITHOUT_CLOCK = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v", "mpegvideo", "obu", "ivf", "data"}

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


@dataclass
class Arrival:
    """A packet; ``damaged``: what was read with it tells of loss. All times in seconds.

    ``at`` rises in the order of arrival; ``taken_at`` is monotonic, None where nothing is live. ``behind``: newer
    ones wait already, and its picture is too old to be of use. ``after_gap``: others before it were left out.
    """

    packet: Packet[Any]
    at: float
    damaged: bool = False
    taken_at: float | None = None
    behind: bool = False
    after_gap: bool = False


def read_all(container: InputContainer, stream: VideoStream) -> Iterator[Arrival]:
    """Every packet of a file, as fast as it is asked for. Raises ``av.error.FFmpegError``."""
    packets = container.demux(stream)
    rate = stream.average_rate or stream.guessed_rate
    fps = float(rate) if rate else 25.0
    count = 0
    while True:
        with av.logging.Capture(local=True) as log:
            packet = next(packets, None)
        if packet is None:
            return
        yield Arrival(packet, count / fps, damaged=packet.is_corrupt or tells_of_damage(log))
        count += 1


class LivePackets:
    """Reads a live stream's packets in a thread from its making on; iterate over it to get them.

    Args:
        container: closed by ``close``, or by the thread as soon as it comes back from a read that still waits.
        read_timeout: the container's own, in seconds.
        max_age: seconds from which on a picture is stale; from half of it on one that still waits is left out where
            a newer key frame waits too, and otherwise marked as ``behind``.

    Errors of the container come out where its packets are asked for.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, read_timeout: float | None, max_age: float
    ) -> None:
        self._left_out = 0
        self.waiting_since = time.monotonic()  # when the newest packet was asked for
        self._container, self._stream = container, stream
        self._read_timeout, self._useful = read_timeout, max_age / 2
        self._clock = StreamClock() if _has_clock(container) else None
        self._changed = threading.Condition()
        self._waiting: deque[Arrival] = deque()
        self._bytes = 0
        self._needs_key = False  # what waited was thrown away
        self._left_out_before = False
        self._error: BaseException | None = None
        self._over = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"packets {stream.index}", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Arrival]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if not self._waiting:
                    if self._error is not None:
                        raise self._error
                    return
                arrival = self._pick(time.monotonic())
            yield arrival

    def count_left_out(self) -> int:
        """How many packets nobody got since this was last asked for."""
        with self._changed:
            count, self._left_out = self._left_out, 0
            return count

    def close(self) -> None:
        """Stop reading and close the container; may be called twice."""
        self._closing.set()
        self._thread.join(_FAREWELL)

    # -- the reading thread --

    def _read(self) -> None:
        listen_to_libav()
        packets = self._container.demux(self._stream)
        try:
            while not self._closing.is_set():
                self.waiting_since = time.monotonic()
                with av.logging.Capture(local=True) as log:
                    packet = next(packets, None)
                now = time.monotonic()
                if packet is None:
                    break
                if self._read_timeout is not None and now - self.waiting_since >= self._read_timeout:
                    # Interrupted by the time-out, libav first hands out what its parser had left, and would wait anew.
                    raise av.error.ExitError(0, "no data in time")
                self._put(packet, now, damaged=packet.is_corrupt or tells_of_damage(log))
        except BaseException as error:  # of libav; told to whoever asks for packets
            self._error = error.with_traceback(None)
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
            self._closing.wait()  # the decoder may still be at work with what waits
            with suppress(av.error.FFmpegError):
                self._container.close()

    def _put(self, packet: Packet[Any], now: float, *, damaged: bool) -> None:
        taken_at = now
        if self._clock is not None:
            stamp = packet.pts if packet.pts is not None else packet.dts
            taken_at = self._clock.taken_at(None if stamp is None else float(stamp * packet.time_base), now)
        with self._changed:
            if self._needs_key and packet.size and not packet.is_keyframe:
                self._left_out += 1
                return
            self._needs_key = False
            self._waiting.append(Arrival(packet, now, damaged, taken_at))
            self._bytes += packet.size
            if self._bytes > _MOST_BYTES or now - (self._waiting[0].taken_at or now) > _HOPELESS:
                self._keep_from(self._newest_key())
            self._changed.notify_all()

    # -- under the lock --

    def _pick(self, now: float) -> Arrival:
        if self._is_old(self._waiting[0], now):
            key = self._newest_key()
            if key:
                self._keep_from(key)
        arrival = self._waiting.popleft()
        self._bytes -= arrival.packet.size
        arrival.behind = bool(self._waiting) and self._is_old(arrival, now)
        arrival.after_gap, self._left_out_before = self._left_out_before, False
        return arrival

    def _is_old(self, arrival: Arrival, now: float) -> bool:
        return arrival.taken_at is not None and now - arrival.taken_at > self._useful

    def _newest_key(self) -> int | None:
        """Its place among those that wait."""
        return next((i for i in reversed(range(len(self._waiting))) if self._waiting[i].packet.is_keyframe), None)

    def _keep_from(self, key: int | None) -> None:
        """Leave out what came before it; without a key frame everything, until one comes."""
        gone = len(self._waiting) if key is None else key
        for _ in range(gone):
            self._bytes -= self._waiting.popleft().packet.size
        self._left_out += gone
        self._left_out_before = self._left_out_before or gone > 0
        self._needs_key = key is None


def _has_clock(container: InputContainer) -> bool:
    """Whether the format's packets bear times; of those that do not, libav makes them up from a rate."""
    return not any(name in _WITHOUT_CLOCK or name.endswith("_pipe") for name in container.format.name.split(","))


def tells_of_damage(log: list[Any]) -> bool:
    """Whether libav's own messages tell of lost or damaged data."""
    return any(sign in entry[2].lower() for entry in log for sign in _SIGNS_OF_DAMAGE)


def listen_to_libav() -> None:
    """Let libav's warnings reach ``av.logging.Capture`` and nothing else: they name addresses with passwords."""
    if av.logging.get_level() is None:
        logging.getLogger("libav").setLevel(logging.CRITICAL + 1)
        av.logging.set_level(av.logging.WARNING)

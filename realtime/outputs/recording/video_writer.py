"""Records what is displayed as an MP4, in a thread of its own, so that recording never delays the display.

The file grows as ``NAME.mp4.part`` and is renamed when it is closed. FFmpeg's hybrid fragmentation keeps the
``.part`` playable at every moment (a power cut or kill -9 costs the last second) and makes it an ordinary,
seekable MP4 on closing. Nothing recorded is replaced: a ``.part`` that a killed run left, and a file that has the
name already, are set aside as ``NAME-1.mp4``.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import queue
import threading
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from models.arrays import Bytes
from models.errors import BadInput

log = logging.getLogger(__name__)

QUEUE_LENGTH = 12  # pictures waiting for the encoder: half a second at 25 fps, 11 MB at 640 x 480
LONGEST_GAP = 10.0  # seconds without a picture that are filled by repeating the last; a longer gap is cut out
CLOSE_TIMEOUT = 5.0
SLOWEST, FASTEST = 1.0, 240.0  # pictures per second


class VideoRecorder:
    """An MP4 file of constant frame rate: ``write`` pictures with their times, then ``close``.

    H.264 where PyAV's build has libx264, otherwise MPEG-4 part 2. The first picture sets the size; pictures of
    another size are fitted into it with black borders. Pictures that come too fast are dropped, and too slow ones
    repeated, so that the file runs at the speed of the clock. Raises ``BadInput`` at once, leaving nothing behind,
    where the file cannot be written; what fails later (a full disk) is logged, kept in ``error``, and ends the
    recording but not the run. A recorder that nobody closes is closed when the interpreter exits; a SIGTERM must be
    turned into an exception by the program (Python's default dies on the spot and leaves the ``.part``).
    """

    def __init__(self, path: str | Path, fps: float = 25.0) -> None:
        self.path = Path(path)
        self.fps = fps
        self.error: str | None = None
        self.kept: Path | None = None  # once closed: ``path``, or the ``.part`` of a recording that failed
        self.frames_written = 0
        self.frames_dropped = 0  # that found the queue full: the encoder could not keep up
        self._part = self.path.with_name(self.path.name + ".part")
        _check(self.path, self._part, fps)
        self._queue: queue.Queue[tuple[Bytes, float] | None] = queue.Queue(QUEUE_LENGTH)
        self._closed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, bgr: Bytes, at: float) -> bool:
        """Hand over a picture (H, W, 3) BGR shown at ``at`` (``time.monotonic()``); it is copied. Never waits.

        False where the picture was dropped because the encoder lags behind, or nothing is recorded any more.
        """
        if self._closed or self.error is not None:
            return False
        if self._queue.full():  # before the copy
            self.frames_dropped += 1
            return False
        try:
            self._queue.put_nowait((bgr.copy(), at))
        except queue.Full:
            self.frames_dropped += 1
            return False
        return True

    def close(self) -> None:
        """Write what waits, finish the file and give it its name. A recording without a picture leaves no file."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._stopping.set()
        self._thread.join(CLOSE_TIMEOUT)
        if self._thread.is_alive():
            self._fail("the encoder did not finish in time")
            self.kept = self._part

    def __enter__(self) -> VideoRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _fail(self, error: Exception | str) -> None:
        why = getattr(error, "strerror", None) or error
        self.error = f"recording {self.path} stopped: {why}"
        log.error(self.error)

    def _work(self) -> None:
        encoder: _Encoder | None = None
        try:
            while (item := self._next()) is not None:
                picture, at = item
                if encoder is None:
                    encoder = _Encoder(self._part, self.fps, picture)
                encoder.add(picture, at)
                self.frames_written = encoder.frames
        except Exception as error:  # whatever the encoder or the disk does must not reach the display
            self._fail(error)
        self._finish(encoder)

    def _next(self) -> tuple[Bytes, float] | None:
        """The next picture; None once closing has begun and nothing waits any more."""
        while True:
            try:
                return self._queue.get(timeout=0.05)
            except queue.Empty:
                if self._stopping.is_set():
                    return None

    def _finish(self, encoder: _Encoder | None) -> None:
        try:
            if encoder is not None:
                encoder.close()
                if encoder.frames:
                    _set_aside(self.path, self.path)
                    self._part.replace(self.path)
                    self.kept = self.path
        except Exception as error:
            if self.error is None:
                self._fail(error)
        if self.kept is None:
            with contextlib.suppress(OSError):
                if encoder is not None and encoder.frames and self._part.stat().st_size:
                    self.kept = self._part
                else:
                    self._part.unlink()


class _Encoder:
    """Pictures with times in, a file of constant frame rate out."""

    def __init__(self, part: Path, fps: float, first: Bytes) -> None:
        height, width = first.shape[:2]
        self._width, self._height = width + width % 2, height + height % 2  # yuv420p wants even sides
        self._fps = Fraction(fps).limit_denominator(1001)
        to_the_disk_at_once = {"movflags": "+hybrid_fragmented", "flush_packets": "1"}
        # "file:" keeps libav from reading a name with a colon as an address.
        self._container = av.open(f"file:{part}", "w", format="mp4", options=to_the_disk_at_once)
        codec, options = codec_for(self._width * self._height)
        stream: Any = self._container.add_stream(codec, rate=self._fps, options=options)
        self._stream = stream
        self._stream.width, self._stream.height, self._stream.pix_fmt = self._width, self._height, "yuv420p"
        self._stream.codec_context.thread_count = 1  # the cores belong to the recogniser
        self._stream.codec_context.gop_size = max(1, round(self._fps))  # a fragment, what a crash may cost: a second
        self._stream.codec_context.colorspace = Colorspace.ITU601  # what OpenCV converts to, whatever the size
        self._stream.codec_context.color_range = ColorRange.MPEG
        self._last: av.VideoFrame | None = None
        self._begin = 0.0
        self.frames = 0

    def add(self, bgr: Bytes, at: float) -> None:
        """Put the picture into the slot of its time; slots left empty before it repeat the picture before."""
        if self._last is None:
            self._begin = at
        slot = round((at - self._begin) * float(self._fps))
        gap = slot - self.frames
        if gap < 0:
            return
        if gap > LONGEST_GAP * float(self._fps):
            self._begin += gap / float(self._fps)
            gap = 0
        if self._last is not None:
            for _ in range(gap):
                self._encode(self._last)
        # OpenCV rounds to the nearest level where swscale cuts off, which would darken the recording a little.
        yuv: Any = cv2.cvtColor(fitted(bgr, self._width, self._height), cv2.COLOR_BGR2YUV_I420)
        self._last = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        self._encode(self._last)

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _encode(self, picture: av.VideoFrame) -> None:
        picture.pts, picture.time_base = self.frames, 1 / self._fps
        self._container.mux(self._stream.encode(picture))
        self.frames += 1


def codec_for(pixels: int) -> tuple[str, dict[str, str]]:
    """The codec and its options for pictures of so many pixels: H.264 where PyAV has it, otherwise MPEG-4 part 2."""
    if "libx264" in av.codecs_available:
        return "libx264", {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}
    return "mpeg4", {"b": str(pixels * 8)}  # about 2.5 Mbit/s at 640 x 480


def fitted(bgr: Bytes, width: int, height: int) -> Bytes:
    """The picture as large as it fits into width x height, centred on black; unchanged where it has that size."""
    h, w = bgr.shape[:2]
    if (w, h) == (width, height):
        return bgr
    canvas = np.zeros((height, width, 3), np.uint8)
    scale = min(width / w, height / h)
    if 0 <= width - w <= 1 and 0 <= height - h <= 1:
        scale = 1.0  # an odd side was rounded up: no reason to blur the whole picture
    new_w, new_h = max(1, min(width, round(w * scale))), max(1, min(height, round(h * scale)))
    top, left = (height - new_h) // 2, (width - new_w) // 2
    resized = bgr if scale == 1.0 else cv2.resize(bgr, (new_w, new_h), interpolation=cv2.INTER_AREA)
    canvas[top : top + new_h, left : left + new_w] = resized
    return canvas


def _check(path: Path, part: Path, fps: float) -> None:
    """Find out now, not with the first picture, that nothing can be written. Leaves an empty ``.part``."""
    if path.suffix.lower() != ".mp4":
        raise BadInput(f"recording: {path} does not end in .mp4; only MP4 is written")
    if not SLOWEST <= fps <= FASTEST:
        raise BadInput(f"recording: a frame rate of {fps:g} is outside {SLOWEST:g}-{FASTEST:g}")
    if path.is_dir():
        raise BadInput(f"recording: {path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise BadInput(f"recording: there is no folder {path.parent}; make it first")
    try:
        if part.is_file() and part.stat().st_size:
            _set_aside(part, path)
        part.open("wb").close()
    except OSError as error:
        raise BadInput(f"recording: cannot write to {path.parent} ({error.strerror}); choose another folder") from error


def _set_aside(earlier: Path, path: Path) -> None:
    """Give an earlier recording the first free name beside ``path``. Raises ``OSError``."""
    if not earlier.exists():
        return
    names = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    free = next(name for name in names if not name.exists())
    earlier.rename(free)
    log.warning("recording: %s was there already and is now %s", earlier, free)

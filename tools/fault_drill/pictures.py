"""Pictures that carry their number, so that a viewer's picture can be told to be the right one, and whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from models.arrays import Bytes

DIGITS = 8
PICTURES = 1 << DIGITS
"""How many different numbers there are."""

Units = list[list[bytes]]
"""H.264 access units: lists of NAL units without start codes."""


def numbered_picture(number: int, size: tuple[int, int] = (160, 120)) -> Bytes:
    """A textured BGR picture (height, width, 3) that carries its number as eight black or white blocks on top."""
    width, height = size
    rng = np.random.default_rng(7)
    blocks = rng.integers(40, 215, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    picture = np.roll(blocks.repeat(8, 0).repeat(8, 1)[:height, :width], 2 * number, axis=1).copy()
    side = width // DIGITS
    for digit in range(DIGITS):
        picture[:side, digit * side : (digit + 1) * side] = 255 if number >> digit & 1 else 0
    return picture


def number_of(bgr: Bytes) -> int:
    """The number in a ``numbered_picture`` that was encoded and decoded."""
    side = bgr.shape[1] // DIGITS
    middle = bgr[side // 2, side // 2 :: side][:DIGITS].mean(axis=1)
    return sum(1 << digit for digit, value in enumerate(middle) if value > 127)


def encode_units(pictures: Iterable[Bytes], *, fps: int = 25, key_every: int = 10) -> Units:
    """H.264 access units of BGR pictures of equal size."""
    pictures = list(pictures)
    codec = av.CodecContext.create("libx264", "w")
    codec.height, codec.width = pictures[0].shape[:2]
    codec.pix_fmt, codec.framerate, codec.time_base = "yuv420p", Fraction(fps), Fraction(1, fps)
    codec.gop_size = key_every
    codec.options = {"preset": "veryfast", "tune": "zerolatency", "x264-params": f"scenecut=0:keyint={key_every}"}
    packets = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, "bgr24")
        frame.pts = number
        packets += codec.encode(frame)
    packets += codec.encode(None)
    return [[nal for nal in re.split(b"\x00\x00\x00?\x01", bytes(packet)) if nal] for packet in packets]


def jpeg_of(bgr: Bytes, quality: int = 90) -> bytes:
    """The picture as a JPEG."""
    good, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert good
    return jpeg.tobytes()


def write_video(path: Path, pictures: Iterable[Bytes], *, fps: int = 25, key_every: int = 25) -> Path:
    """The pictures, all of one size, as a video of the container that the name asks for."""
    pictures = list(pictures)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "tune": "zerolatency"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.gop_size = "yuv420p", key_every
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())
    return path


def repeated(video: Path, path: Path, seconds: float) -> Path:
    """The video over and over, as it is encoded, until it lasts so long."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        packets = [(bytes(packet), packet.is_keyframe) for packet in container.demux(stream) if packet.size]
        unit, rate = stream.time_base, stream.average_rate
        assert unit is not None
        assert rate is not None
        step = round(1 / (rate * unit))
        with av.open(str(path), "w") as out:
            copy = out.add_stream_from_template(stream)
            for number in range(round(seconds * rate)):
                content, is_key = packets[number % len(packets)]
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.is_keyframe = copy, unit, is_key
                packet.pts = packet.dts = number * step
                out.mux(packet)
    return path


class Reference:
    """Tells whether a picture that arrived is the one that was sent under its number."""

    STEP = 8  # every eighth pixel of every eighth row: a smeared block is wider
    MOST = 40.0  # grey levels of mean difference, in the worst 40 x 40 pixels, that encoding may make

    def __init__(self, count: int, sizes: Iterable[tuple[int, int]]) -> None:
        self._thumbs = {
            size: [numbered_picture(number, size)[:: self.STEP, :: self.STEP] for number in range(count)]
            for size in sizes
        }

    def is_whole(self, bgr: Bytes) -> bool:
        """Whether the picture is undamaged. One of an unknown size or number is not."""
        thumbs = self._thumbs.get((bgr.shape[1], bgr.shape[0]), [])
        number = number_of(bgr)
        if number >= len(thumbs):
            return False
        found = bgr[:: self.STEP, :: self.STEP].astype(np.int16)
        difference = np.abs(found - thumbs[number]).mean(axis=2).astype(np.float32)
        return float(cv2.blur(difference, (5, 5)).max()) < self.MOST

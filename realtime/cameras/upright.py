"""Which video of a container is meant, and how its pictures are shown: square pixels, upright, mirrored or not."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from models.arrays import Bytes

_WIDEST = 4  # times as wide or high as stored; what goes beyond is a mistake in the header


def main_video(container: InputContainer) -> VideoStream:
    """The video that is meant: never a cover picture; the one marked as default, where one is, then the largest.

    Raises ``LookupError`` where there is none.
    """
    films = [one for one in container.streams.video if not _is(one, Disposition.attached_pic)]
    if not films:
        raise LookupError("no video")
    return max(films, key=lambda one: (_is(one, Disposition.default), one.width * one.height))


def _is(stream: VideoStream, disposition: Disposition) -> bool:
    return bool(stream.disposition & disposition)


class Upright:
    """Turns decoded frames into the pictures that a player shows."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._reformatter = VideoReformatter()
        self._rotation: int | None = None  # of the last picture
        self._turned: tuple[int, int, int, int] | None = None

    def bgr(self, frame: VideoFrame) -> Bytes:
        """(H, W, 3), with square pixels, upright."""
        width, height = shown_size(frame.width, frame.height, self._stream.sample_aspect_ratio)
        shown = self._reformatter.reformat(frame, width=width, height=height, format="bgr24")
        if frame.rotation != self._rotation:
            # Reading a picture's side data ties it into a circle, and hundreds would wait for the garbage collector.
            self._rotation, self._turned = frame.rotation, _matrix(frame)
        return turned(cast(Bytes, shown.to_ndarray()), self._turned)


def shown_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height with square pixels: never fewer than are stored. ``aspect``: a pixel's width by its height."""
    if not aspect or aspect == 1 or not Fraction(1, _WIDEST) <= aspect <= _WIDEST:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def turned(picture: Bytes, matrix: tuple[int, int, int, int] | None) -> Bytes:
    """``picture`` as the matrix (a, b, c, d) of a track header shows it: a point (x, y) comes to (ax + cy, bx + dy).

    Only quarter turns and mirrors; any other matrix is taken for the nearest of them (ISO 14496-12, 8.3.2).
    """
    if matrix is None:
        return picture
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):  # x and y change places, then b and c tell of the directions
        picture, a, d = picture.transpose(1, 0, 2), c, b
    if a < 0:
        picture = picture[:, ::-1]
    if d < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _matrix(frame: VideoFrame) -> tuple[int, int, int, int] | None:
    side_data: Any = frame.side_data  # its stub knows no keys of its own type
    side = side_data.get(Type.DISPLAYMATRIX)
    if side is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(side)[:36])
    return a, b, c, d

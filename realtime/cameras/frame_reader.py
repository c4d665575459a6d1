"""One consumer's view of a camera."""

from __future__ import annotations

from typing import Protocol

from realtime.types import Frame


class FrameSource(Protocol):
    """What a reader needs of the camera that it reads."""

    def wait_newer(self, last: int, timeout: float | None) -> Frame | None:
        """A frame with an index above ``last``, or None after ``timeout`` seconds. Raises ``CameraError``."""

    def taken(self) -> None:
        """A reader has got its frame."""


class FrameReader:
    """Every call gives a frame that this reader has not seen; made by ``NewestFrame.reader``, which gives the index of
    the last frame that it is not to get (``after``).

    ``taken`` counts the frames it got, ``missed`` those that were captured and replaced by a newer one before it
    came for them.
    """

    def __init__(self, source: FrameSource, name: str, *, after: int = -1) -> None:
        self.name = name
        self.taken = 0
        self.missed = 0
        self._source = source
        self._last = after

    def next(self, timeout: float | None = None) -> Frame | None:
        """The newest frame, waiting up to ``timeout`` seconds for one; None where none came.

        Raises ``CameraError`` once the camera has ended for good and its last frame was taken.
        """
        frame = self._source.wait_newer(self._last, timeout)
        if frame is not None:
            self.missed += frame.index - self._last - 1
            self.taken += 1
            self._last = frame.index
            self._source.taken()
        return frame

    def has_taken(self, frame: Frame) -> bool:
        return self._last >= frame.index

"""One consumer's view of a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.types import Frame

if TYPE_CHECKING:
    from realtime.cameras.newest_frame import NewestFrame


class FrameReader:
    """Every call gives a frame that this reader has not seen; made by ``NewestFrame.reader``.

    ``taken`` counts the frames it got, ``missed`` those that were captured and replaced by a newer one before it
    came for them.
    """

    def __init__(self, source: NewestFrame, name: str) -> None:
        self.name = name
        self.taken = 0
        self.missed = 0
        self._source = source
        self._last = -1

    def next(self, timeout: float | None = None) -> Frame | None:
        """The newest frame, waiting up to ``timeout`` seconds for one; None where none came.

        Raises ``CameraError`` once the camera has ended for good and its last frame was taken.
        """
        frame = self._source._wait_newer(self._last, timeout)
        if frame is not None:
            self.missed += frame.index - self._last - 1
            self.taken += 1
            self._last = frame.index
            self._source._taken()
        return frame

    def has_taken(self, frame: Frame) -> bool:
        return self._last >= frame.index

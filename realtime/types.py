"""The currency between the stages of the pipeline: one frozen dataclass each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from models.arrays import Bytes, Floats


@dataclass(frozen=True)
class Frame:
    """One picture of a camera.

    ``captured_at`` is ``time.monotonic()`` seconds at the moment the camera gave it, ``wall_time`` the same
    moment as seconds since the epoch; ``index`` counts the camera's frames from 0 (gaps are dropped frames).
    ``file_time``: seconds of a file's own clock, where it is read as fast as it can be worked on; None live.
    ``drill``: something was drawn onto its faces, and nothing of it may enter a history.
    """

    camera: str
    index: int
    bgr: Bytes  # (H, W, 3)
    captured_at: float
    wall_time: float
    file_time: float | None = None
    drill: bool = False

    @property
    def moment(self) -> float:
        """When it happened, in seconds: what is said of a file must not depend on how fast it was worked on."""
        return self.captured_at if self.file_time is None else self.file_time

    def now(self) -> float:
        """The present on the clock of ``moment``: a file's stands still while one of its frames is worked on."""
        return time.monotonic() if self.file_time is None else self.file_time


@dataclass(frozen=True)
class DetectedFace:
    """A face in a frame, in pixels of that frame.

    ``landmarks`` are left eye, right eye, nose tip, left mouth corner, right mouth corner ("left" = image
    left), as (x, y).
    """

    box: Floats  # (4,) x1, y1, x2, y2
    landmarks: Floats  # (5, 2)
    score: float


@dataclass(frozen=True)
class TrackedFace:
    """A face followed over frames. ``epoch`` grows whenever the track was lost and found again."""

    track_id: int
    face: DetectedFace
    epoch: int = 0
    detected: bool = True  # False: carried over from an earlier frame


@dataclass(frozen=True)
class FaceCrop:
    """A canonical face crop cut from a frame.

    ``refusal`` is None where the crop is good enough to decide on, otherwise the reason (one of
    ``realtime.faces.quality.REASONS``).
    """

    track: TrackedFace
    frame: Frame
    pixels: Bytes  # (S, S, 3) RGB
    refusal: str | None = None


@dataclass(frozen=True)
class FacesInFrame:
    """Everything found in one frame, and how long the finding took (milliseconds by stage)."""

    frame: Frame
    crops: tuple[FaceCrop, ...]
    stage_ms: dict[str, float] = field(default_factory=dict)

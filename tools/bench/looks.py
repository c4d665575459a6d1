"""Looks at faces as live: which views, and whether an alarm is expected, the pipeline's schedule says."""

from __future__ import annotations

import numpy as np

from models.arrays import Bytes
from models.evidence import CropEvidence
from models.recogniser import Recogniser
from realtime.decisions import Turn, looked_at
from realtime.metrics import verdict_name
from realtime.schedule import SETTLED, Schedule
from realtime.types import DetectedFace, FaceCrop, Frame, TrackedFace

_FACE = DetectedFace(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


class LiveLooks:
    """Every call is the next decision on each of ``count`` faces that stay in view."""

    def __init__(self, recogniser: Recogniser, count: int = 1) -> None:
        self._recogniser, self._schedule = recogniser, Schedule(count)
        self._number = 0

    def settle(self, crops: Bytes) -> None:
        """Decide so often on (N, S, S, 3) that faces are settled."""
        for _ in range(SETTLED + 1):
            self.decide(crops)

    def decide(self, crops: Bytes) -> list[CropEvidence]:
        """What is found out about crops (N, S, S, 3), one of each face."""
        frame = Frame("scene", self._number, _NO_PICTURE, float(self._number), 0.0)
        faces = [FaceCrop(TrackedFace(track, _FACE), frame, pixels) for track, pixels in enumerate(crops)]
        self._number += 1
        self._schedule.pick(faces, frame.captured_at)
        turn = Turn.of(faces, len(self._recogniser.zones), self._schedule)
        found = looked_at(self._recogniser, faces, turn)
        for face, (one, decision) in zip(faces, found, strict=True):
            self._schedule.note(face, verdict_name(decision), one)
        return [one for one, _ in found]

"""Whether a picture is good enough to learn a face from, and why not: each reason is one that a person can mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2

from models.arrays import Bytes
from realtime.faces.covered import covered
from realtime.faces.detect import FaceDetector
from realtime.faces.limits import QualityLimits
from realtime.faces.quality import refusal, sharpness, tilt, turn
from realtime.faces.realign import Realigner, cut_face
from realtime.people.pictures import choose_face, find_faces, find_turned
from realtime.people.sources import Shot, Skipped
from realtime.types import DetectedFace

#: Another face this large beside the one chosen could be the person meant: whose picture is it?
RIVAL: Final = 0.5  # share of its area
#: Mean grey level of the face, of 255.
DARKEST: Final = 35.0
BRIGHTEST: Final = 225.0
#: Pictures of one video or camera that are kept: the sharpest.
MOST_OF_A_VIDEO: Final = 20

NO_FACE: Final = "no face found"
_WORDS: Final = {
    "too small": "the face is too small: come nearer, or give a larger picture",
    "cut off": "the face is cut off by the picture's border",
    "profile": "the face is turned away: look towards the camera",
    "blurred": "the face is blurred",
}


@dataclass(frozen=True)
class GoodFace:
    """A face to learn: its canonical crop (S, S, 3) RGB and where it comes from.

    ``turn`` and ``tilt``: where the head looks, see ``realtime.faces.quality``; None where nobody has measured it.
    """

    name: str
    crop: Bytes
    digest: str
    sharpness: float
    moving: bool = False
    turn: float | None = None
    tilt: float | None = None


class Judge:
    """Finds the one face of a picture and says what is wrong with it.

    Args:
        size: side S of the crops.
        limits: as the live view's quality gate, so that nothing is learnt that would never be decided on.
    """

    def __init__(
        self, detector: FaceDetector, size: int, *, realigner: Realigner | None = None, limits: QualityLimits
    ) -> None:
        self._detector, self._size, self._realigner, self._limits = detector, size, realigner, limits

    def look(self, shot: Shot) -> GoodFace | Skipped:
        """The picture's face, or why there is none to learn."""
        faces = self._faces(shot)
        if not faces:
            return Skipped(shot.name, NO_FACE)
        face = choose_face(faces, shot.bgr.shape)
        rivals = sum(_area(other) >= RIVAL * _area(face) for other in faces) - 1
        if rivals > 0:
            return Skipped(shot.name, f"{1 + rivals} faces of about one size: cut the picture to the one meant")
        crop = cut_face(shot.bgr, face, self._size, self._realigner)
        reason = refusal(crop, face.landmarks, shot.bgr.shape, self._limits)
        if reason is not None:
            return Skipped(shot.name, _WORDS.get(reason, reason))
        light = float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())
        if not DARKEST <= light <= BRIGHTEST:
            return Skipped(shot.name, f"the face is too {'dark' if light < DARKEST else 'bright'}")
        hidden = covered(crop)
        if hidden is not None:
            return Skipped(shot.name, f"the {hidden} {'are' if hidden == 'eyes' else 'is'} covered: take it off")
        looks = turn(face.landmarks), tilt(face.landmarks)
        return GoodFace(shot.name, crop, shot.digest, sharpness(crop), shot.moving, *looks)

    def _faces(self, shot: Shot) -> list[DetectedFace]:
        """Of a picture also those that stand on their head; a video has others where there is none at first sight."""
        if shot.moving:
            return self._detector.detect(shot.bgr)
        return find_faces(self._detector, shot.bgr) or find_turned(self._detector, shot.bgr)[0]


def sharpest(faces: Iterable[GoodFace], most: int = MOST_OF_A_VIDEO) -> list[GoodFace]:
    """All of the pictures, and of those that move the sharpest ``most``, in the order they came."""
    found = list(faces)
    moving = sorted((face for face in found if face.moving), key=lambda face: -face.sharpness)[:most]
    kept = {id(face) for face in moving}
    return [face for face in found if not face.moving or id(face) in kept]


def _area(face: DetectedFace) -> float:
    x1, y1, x2, y2 = (float(edge) for edge in face.box)
    return max(0.0, x2 - x1) * max(0.0, y2 - y1)

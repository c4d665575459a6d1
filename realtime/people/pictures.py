"""Pictures of people: a folder per person, each picture read upright, and the faces found in it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from models.errors import BadInput
from realtime.faces.boxes import overlap
from realtime.faces.detect import FaceDetector, shrink
from realtime.people.photo import SUFFIXES, read_photo
from realtime.types import DetectedFace

_SYSTEM_NAMES = frozenset({"lost+found", "system volume information", "__macosx", "thumbs.db", "desktop.ini"})
_PART = 1280  # pixels: shrunk to the detectors' 640 a face of 40 still has the 20 that they need
_LOOKED_AT = 1280  # pixels of the longer side, where the picture is copied to be looked at again
_SURE = 0.98  # a face that stands on its head is believed from this score on
_PADDING = 0.25  # of the longer side: a face that touches the border is found better with some room around it


def people_of(source: Path, *, least: int = 2) -> dict[str, list[Path]]:
    """The pictures of each person's folder, sorted by name; ``left_out`` names what is not among them.

    Names are in Unicode's composed form: folders that differ in it only are one person.

    Raises:
        BadInput: no folder, no people, or a person with fewer than ``least`` pictures.
    """
    if not source.is_dir():
        raise BadInput(f"{source}: no such folder; give a folder that holds one folder of pictures per person")
    found: dict[str, list[Path]] = {}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not _of_a_system(path)):
        pictures = sorted(path for path in folder.iterdir() if _why_not(path) is None)
        if len(pictures) == 0:
            raise BadInput(f"{folder}: holds no picture; add some or remove the folder{_others(folder)}")
        found.setdefault(unicodedata.normalize("NFC", folder.name), []).extend(pictures)
    for name, pictures in found.items():
        if len(pictures) < least:
            folder = pictures[0].parent
            raise BadInput(
                f"{folder}: holds {len(pictures)} picture, at least {least} are needed to train and to validate;"
                f" add pictures or give --allow-single{_others(folder)}"
            )
        names = [path.name for path in pictures]
        if twice := next((path for path in pictures if names.count(path.name) > 1), None):
            raise BadInput(f"{twice}: two folders are named {name} and hold a picture of this name; join them to one")
    if not found:
        raise BadInput(f"{source}: holds no folders; give a folder that holds one folder of pictures per person")
    return found


def left_out(source: Path) -> list[tuple[str, str, str]]:
    """(folder, file, why) of what ``people_of`` passes over and a user might have meant to be a picture."""
    found = [("", path.name, "lies in no person's folder") for path in source.iterdir() if _why_not(path) is None]
    for folder in source.iterdir():
        if folder.is_dir() and not _of_a_system(folder):
            reasons = ((path, _why_not(path)) for path in folder.iterdir() if not _of_a_system(path))
            found += [(folder.name, path.name, why) for path, why in reasons if why is not None]
    return sorted(found)


def _of_a_system(path: Path) -> bool:
    """What storage, desktops and archivers put beside people: ``@eaDir``, ``lost+found``, ``.DS_Store``."""
    return path.name[0] in ".@#$~" or path.name.casefold() in _SYSTEM_NAMES


def _why_not(path: Path) -> str | None:
    """Why a file is taken for no picture; None where it is one by its name."""
    if _of_a_system(path):
        return "of a system"
    if path.is_dir():
        return "a folder in a person's folder"
    if not path.is_file():
        return "no ordinary file"
    if path.suffix.lower() not in SUFFIXES:
        return f"{path.suffix.lower() or 'a name without ending'} is no kind of picture that is read"
    return None


def _others(folder: Path) -> str:
    others = sum(1 for path in folder.iterdir() if not _of_a_system(path) and _why_not(path) is not None)
    return f" ({others} other files there are of no kind that is read)" if others else ""


def read_picture(path: Path) -> Bytes | None:
    """(H, W, 3) uint8 BGR, see ``read_photo``; None where it cannot be read."""
    try:
        return read_photo(path)
    except BadInput:
        return None


def find_faces(detector: FaceDetector, bgr: Bytes) -> list[DetectedFace]:
    """The faces of a picture, the largest first. Where there is none at first sight, a closer look:

    of a large picture its parts, because detectors shrink what they look at and small faces with it; then the
    picture with room around it, and a small one twice as large.
    """
    return detector.detect(bgr) or _in_parts(detector, bgr) or _with_room(detector, bgr)


def find_turned(detector: FaceDetector, bgr: Bytes) -> tuple[list[DetectedFace], int]:
    """Faces of a picture that stands on its head or lies on its side, and by how many degrees it has to be turned.

    For pictures that ``find_faces`` finds none in. The landmarks are those of the picture as it is; only faces that
    the detector is sure of count. No faces and 0 where there are none.
    """
    small, scale = shrink(bgr, _LOOKED_AT)
    for degrees, how in ((180, cv2.ROTATE_180), (90, cv2.ROTATE_90_CLOCKWISE), (270, cv2.ROTATE_90_COUNTERCLOCKWISE)):
        turned = np.asarray(cv2.rotate(small, how), dtype=np.uint8)
        faces = [face for face in detector.detect(turned) if face.score >= _SURE]
        if faces:
            return [_turned_back(face, degrees, small.shape, scale) for face in faces], degrees
    return [], 0


def _turned_back(face: DetectedFace, degrees: int, shape: tuple[int, ...], scale: float) -> DetectedFace:
    """A face of the turned picture in the unturned one, which was ``scale`` times as large as ``shape`` says."""
    height, width = shape[:2]

    def back(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        x, y = points[..., 0], points[..., 1]
        there = {180: (width - 1 - x, height - 1 - y), 90: (y, height - 1 - x), 270: (width - 1 - y, x)}[degrees]
        return np.asarray((np.stack(there, -1) + 0.5) / scale - 0.5, dtype=np.float32)

    corners = back(face.box.reshape(2, 2))
    box = np.concatenate([corners.min(0), corners.max(0)])
    return DetectedFace(box=box, landmarks=back(face.landmarks), score=face.score)


def _in_parts(detector: FaceDetector, bgr: Bytes) -> list[DetectedFace]:
    """Faces of a picture that is larger than what a detector looks at, part by part; none of a smaller one."""
    height, width = bgr.shape[:2]
    if max(height, width) <= _PART:
        return []
    found: list[DetectedFace] = []
    for y in _starts(height):
        for x in _starts(width):
            corner = np.array([x, y], dtype=np.float32)
            for face in detector.detect(np.ascontiguousarray(bgr[y : y + _PART, x : x + _PART])):
                found.append(DetectedFace(face.box + np.tile(corner, 2), face.landmarks + corner, face.score))
    found.sort(key=_area, reverse=True)
    apart: list[DetectedFace] = []
    for face in found:
        # a face cut by a part's edge lies in the whole one
        if all(overlap(face.box, other.box, of_smaller=True) < 0.3 for other in apart):
            apart.append(face)
    return apart


def _starts(length: int) -> list[int]:
    """Where parts begin along one side: each overlaps the next by a quarter, the last ends where the side does."""
    last = max(0, length - _PART)
    return sorted({*range(0, last, _PART * 3 // 4), last})


def _area(face: DetectedFace) -> float:
    x1, y1, x2, y2 = (float(edge) for edge in face.box)
    return (x2 - x1) * (y2 - y1)


def _with_room(detector: FaceDetector, bgr: Bytes) -> list[DetectedFace]:
    small, shrunk = shrink(bgr, _LOOKED_AT)  # around a picture of 100 million pixels the room alone would take 400 MB
    margin = round(_PADDING * max(small.shape[:2]))
    padded = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    scale = 2 if max(small.shape[:2]) < 400 else 1
    if scale != 1:
        padded = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)

    def back(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # pixel i covers [i, i + 1): its centre moves by half of what is added
        inner = (points - np.float32((scale - 1) / 2)) / scale - margin
        return np.asarray((inner + 0.5) / shrunk - 0.5, dtype=np.float32)

    return [
        DetectedFace(box=back(face.box), landmarks=back(face.landmarks), score=face.score)
        for face in detector.detect(np.asarray(padded, dtype=np.uint8))
    ]


def choose_face(faces: list[DetectedFace], shape: tuple[int, ...]) -> DetectedFace:
    """The large face near the middle: box area minus twice the squared distance of its centre from the picture's."""
    middle = np.array([shape[1], shape[0]]) / 2

    def merit(face: DetectedFace) -> float:
        x1, y1, x2, y2 = (float(edge) for edge in face.box)
        away = np.array([x1 + x2, y1 + y2]) / 2 - middle
        return (x2 - x1) * (y2 - y1) - 2 * float(away @ away)

    return max(faces, key=merit)

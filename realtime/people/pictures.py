"""Pictures of people: a folder per person, each picture read upright, and the faces found in it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from realtime.faces.detect import FaceDetector
from realtime.people.photo import SUFFIXES, read_photo
from realtime.types import DetectedFace

_PADDING = 0.25  # of the longer side: a face that touches the border is found better with some room around it


def people_of(source: Path, *, least: int = 2) -> dict[str, list[Path]]:
    """The pictures of each person's folder, sorted by name.

    Raises:
        BadInput: no folder, no people, or a person with fewer than ``least`` pictures.
    """
    if not source.is_dir():
        raise BadInput(f"{source}: no such folder; give a folder that holds one folder of pictures per person")
    found: dict[str, list[Path]] = {}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")):
        pictures = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES)
        if len(pictures) == 0:
            raise BadInput(f"{folder}: holds no picture; add some or remove the folder")
        if len(pictures) < least:
            raise BadInput(
                f"{folder}: holds {len(pictures)} picture, at least {least} are needed to train and to validate;"
                " add pictures or give --allow-single"
            )
        found[folder.name] = pictures
    if not found:
        raise BadInput(f"{source}: holds no folders; give a folder that holds one folder of pictures per person")
    return found


def read_picture(path: Path) -> Bytes | None:
    """(H, W, 3) uint8 BGR, see ``read_photo``; None where it cannot be read."""
    try:
        return read_photo(path)
    except BadInput:
        return None


def find_faces(detector: FaceDetector, bgr: Bytes) -> list[DetectedFace]:
    """The faces of a picture; where there is none, those of the picture with a margin and twice as large."""
    faces = detector.detect(bgr)
    if faces:
        return faces
    height, width = bgr.shape[:2]
    margin = round(_PADDING * max(height, width))
    padded = cv2.copyMakeBorder(bgr, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    scale = 2 if max(height, width) < 400 else 1
    if scale != 1:
        padded = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    shift = np.float32((scale - 1) / 2)  # pixel i covers [i, i + 1): its centre moves by half of what is added
    return [
        DetectedFace(
            box=(face.box - shift) / scale - margin,
            landmarks=(face.landmarks - shift) / scale - margin,
            score=face.score,
        )
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

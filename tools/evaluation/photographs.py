"""Whole photographs instead of aligned crops: glasses are worn on the picture, then the face is found and cut anew.

So what the glasses do to the detector and its landmarks is part of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.arrays import Bools, Bytes, Labels
from models.crop.wearables import random_innocent
from models.errors import BadInput
from realtime.faces.detect import FaceDetector
from realtime.faces.realign import Realigner, cut_face
from realtime.faces.wear import wear
from realtime.people.pictures import choose_face, find_faces, read_picture
from tools.crafting.attacked_faces import Attacked


@dataclass(frozen=True)
class Camera:
    """Takes the faces of ``folder``'s photographs, which ``tools.prepare`` made the crops of; S is the crops' side."""

    folder: Path
    detector: FaceDetector
    realigner: Realigner | None
    size: int

    def take(self, picture: str, glasses: Bytes) -> Bytes | None:
        """The crop (S, S, 3) RGB of a picture (``person/file.png`` of the crop) whose face wears ``glasses`` (RGBA).

        None where no face is found on the photograph, or none any more with the glasses on.

        Raises:
            BadInput: the photograph is missing or cannot be read.
        """
        worn = self.worn(picture, glasses)
        after = [] if worn is None else find_faces(self.detector, worn)
        if worn is None or not after:
            return None
        return cut_face(worn, choose_face(after, worn.shape), self.size, self.realigner)

    def worn(self, picture: str, glasses: Bytes) -> Bytes | None:
        """A picture's whole photograph (H, W, 3) BGR whose face wears ``glasses``; None where no face is found on it.

        Raises:
            BadInput: see ``take``.
        """
        bgr = self.photograph(picture)
        faces = find_faces(self.detector, bgr)
        return wear(bgr, choose_face(faces, bgr.shape).landmarks, glasses) if faces else None

    def photograph(self, picture: str) -> Bytes:
        """What the picture's crop was cut from, (H, W, 3) BGR.

        Raises:
            BadInput: see ``take``.
        """
        path = self.folder / picture.removesuffix(".png")
        bgr = read_picture(path)
        if bgr is None:
            raise BadInput(f"--photographs {self.folder}: {path} cannot be read; give the folder that was prepared")
        return bgr


def attacked_photographs(camera: Camera, faces: Attacked) -> tuple[Attacked, Bools]:
    """The attacked faces as the camera sees them, those that it finds; and of all (N,) whether it does not.

    Raises:
        BadInput: see ``Camera.take``; or it finds nobody.
    """
    opacity = np.where(faces.region, 255, 0).astype(np.uint8)
    crops = [
        camera.take(record["pictures"][0], np.dstack([adversarial, opacity]))
        for record, adversarial in zip(faces.records, faces.adversarial, strict=True)
    ]
    found = np.array([crop is not None for crop in crops])
    some = replace(
        faces,
        originals=faces.originals[found],
        adversarial=_stacked(crops, camera),
        labels=faces.labels[found],
        targets=faces.targets[found],
        records=tuple(record for record, there in zip(faces.records, found, strict=True) if there),
    )
    return some, ~found


def innocent_photographs(
    camera: Camera, pictures: Sequence[str], labels: Labels, seed: int
) -> tuple[Bytes, Labels, Bools]:
    """The pictures' faces with plain glasses of a random shape and colour, those that are found; their labels; and of
    all (N,) whether none is found.

    Raises:
        BadInput: see ``Camera.take``; or nobody is found.
    """
    random = np.random.default_rng([seed, 4])
    crops = [camera.take(picture, random_innocent(random, camera.size)) for picture in pictures]
    found = np.array([crop is not None for crop in crops])
    return _stacked(crops, camera), labels[found], ~found


def _stacked(crops: Sequence[Bytes | None], camera: Camera) -> Bytes:
    there = [crop for crop in crops if crop is not None]
    if not there:
        raise BadInput(f"--photographs {camera.folder}: no face is found on any of them with glasses on")
    return np.stack(there)

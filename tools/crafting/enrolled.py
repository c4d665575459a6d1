"""An enrolled person attacks: from photographs that are given, or from crops that were kept of them with consent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.arrays import Bytes, Floats
from models.errors import BadInput
from models.recogniser import Recogniser
from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector
from realtime.faces.wear import wear
from realtime.people.kept import KeptPictures
from realtime.people.photo import SUFFIXES
from realtime.people.pictures import choose_face, find_faces, read_picture
from tools.attacks.settings import Settings
from tools.crafting.job import Worn
from tools.crafting.pairs import Pair, index_of

MOST = 6  # pictures that share the glasses: more make them no better, and slower


def robust(steps: int, shape: str, seed: int, half_precision: bool) -> Settings:
    """Glasses that all pictures of a person share, under small movements; drawn, so nothing needs to be printable."""
    return Settings(
        "sharif", shape, "physical", steps, MOST, total_variation=3.0, printability=0.0, seed=seed,
        half_precision=half_precision,
    )  # fmt: skip


def enrolled_pair(
    name: str,
    target: str,
    recogniser: Recogniser,
    *,
    photographs: Path | None,
    kept: KeptPictures | None,
    detector: FaceDetector,
    cut: Callable[[Bytes], Bytes | None],
) -> tuple[Pair, Worn | None]:
    """One pair of glasses for all of a person's pictures; worn on the photographs, where these are given.

    Args:
        photographs: a picture, or a folder of them.
        kept: where crops of enrolled people are kept, for want of photographs.
        cut: see ``Worn``.

    Raises:
        BadInput: an unknown person; no picture with a face; or nothing was kept.
    """
    label, goal = index_of(name, recogniser.labels, "attacker"), index_of(target, recogniser.labels, "target")
    if label == goal:
        raise BadInput(f"target {target!r}: is the attacker himself; give somebody else")
    if photographs is None:
        crops, names = _kept(recogniser, recogniser.labels[label], kept)
        return Pair(0, recogniser.labels[label], names, crops, label, goal), None
    found = _faces(photographs, detector)
    crops = np.stack([crop_face(bgr, landmarks, recogniser.input_size) for _, bgr, landmarks in found])
    pair = Pair(0, recogniser.labels[label], tuple(name for name, _, _ in found), crops, label, goal)
    return pair, Worn(lambda _, rgba: [wear(bgr, landmarks, rgba) for _, bgr, landmarks in found], cut)


def _faces(photographs: Path, detector: FaceDetector) -> list[tuple[str, Bytes, Floats]]:
    files = [photographs]
    if photographs.is_dir():
        files = sorted(path for path in photographs.iterdir() if path.suffix.lower() in SUFFIXES)
    found = []
    for path in files:
        bgr = read_picture(path)
        faces = [] if bgr is None else find_faces(detector, bgr)
        if bgr is not None and faces:
            found.append((path.name, bgr, choose_face(faces, bgr.shape).landmarks))
        if len(found) == MOST:
            break
    if not found:
        raise BadInput(f"--photographs {photographs}: no face was found; give pictures with a face of 40 pixels")
    return found


def _kept(recogniser: Recogniser, name: str, kept: KeptPictures | None) -> tuple[Bytes, tuple[str, ...]]:
    person = None if recogniser.gallery is None or kept is None else recogniser.gallery.person(name)
    crops, digests = (np.zeros((0, 1, 1, 3), np.uint8), []) if person is None or kept is None else kept.crops(person)
    if not digests:
        raise BadInput(
            f"--from-people {name}: no pictures of theirs were kept; give some with --photographs, or add them with"
            " --keep-pictures"
        )
    return crops[:MOST], tuple(digests[:MOST])

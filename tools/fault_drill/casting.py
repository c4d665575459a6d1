"""Who plays in the clips: people whom the recogniser knows from one picture, and a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.errors import BadInput
from models.policy import decide
from models.recogniser import Recogniser
from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector
from realtime.people.pictures import people_of
from tools.fault_drill.changes import PEOPLE, Cast
from tools.fault_drill.scenes import STRANGER, Portrait, read_portrait, tile_landmarks

_TRIED = 6  # pictures of a person that are looked at for a portrait


def cast_of(people: Path, strangers: Path, recogniser: Recogniser, detector: FaceDetector) -> Cast:
    """The people in the order of their folders, each by the picture that the recogniser is surest of.

    A person none of whose first pictures is known by itself does not play.

    Raises:
        BadInput: there are too few such people, or no stranger's face.
    """
    players = []
    for person, files in people_of(people, least=1).items():
        name = person.replace("_", " ")
        best = _surest(name, files[:_TRIED], recogniser, detector) if name in recogniser.labels else None
        if best is not None:
            players.append(best)
        if len(players) == PEOPLE:
            break
    if len(players) < PEOPLE:
        raise BadInput(f"{people}: the clips need four people whom the bundle knows, found {len(players)}")
    for files in people_of(strangers, least=1).values():
        stranger = read_portrait(files[0], detector, STRANGER)
        if stranger is not None:
            return Cast(players, stranger)
    raise BadInput(f"{strangers}: no picture shows a face; give folders with pictures of people")


def _surest(name: str, files: Sequence[Path], recogniser: Recogniser, detector: FaceDetector) -> Portrait | None:
    found = [one for file in files if (one := read_portrait(file, detector, name)) is not None]
    if not found:
        return None
    crops = np.stack([crop_face(one.tile, tile_landmarks(), recogniser.input_size) for one in found])
    decisions = [decide(one, recogniser.policy) for one in recogniser.defend(crops, quick=True)]
    known = [(d.confidence, n) for n, d in enumerate(decisions) if d.state == "known" and d.identity == name]
    return found[max(known)[1]] if known else None

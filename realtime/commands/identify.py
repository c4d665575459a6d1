"""Names the faces of one picture."""

from __future__ import annotations

import time
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from models.arrays import Bytes
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision, decide
from models.recogniser import Recogniser
from realtime.assembly import detector_of, realigner_of, recogniser_of
from realtime.faces.quality import refusal
from realtime.faces.realign import cut_face
from realtime.outputs.drawing.overlay import Overlay, Status
from realtime.people.photo import read_photo
from realtime.people.pictures import find_faces, find_turned
from realtime.settings.config import Config
from realtime.system.command_line import write_whole
from realtime.types import DetectedFace, TrackedFace
from realtime.verdicts.agreement import VerdictRules
from realtime.verdicts.verdict import VerdictKeeper

Decided = tuple[Decision, CropEvidence | None]

_AT_ONCE = 8  # faces decided on: each takes some 40 MB, and a picture of a crowd would take gigabytes


def identify_photo(path: Path, config: Config, *, save: Path | None = None) -> dict[str, Any]:
    """Find, judge and decide on every face of a picture.

    Returns:
        ``photo``, ``engine`` and ``faces``: box, landmarks, state, identity, claimed, likely, confidence, reason,
        and the best names of the raw view and of the one after the saliency mask.

    Raises:
        BadInput: the file is no picture, or it shows no face.
    """
    picture = read_photo(path)
    detector = detector_of(config.detection)
    faces = find_faces(detector, picture) or find_turned(detector, picture)[0]
    if not faces:
        raise BadInput(
            f"{path}: no face was found; give a picture with a face of at least {config.detection.min_face} pixels, "
            "or lower detection.min_face in the configuration"
        )
    recogniser = recogniser_of(config)
    limits = config.quality
    realigner = realigner_of(config)
    crops = np.stack([cut_face(picture, face.landmarks, recogniser.input_size, realigner) for face in faces])
    starts = range(0, len(crops), _AT_ONCE)
    evidences = chain.from_iterable(recogniser.defend(crops[start : start + _AT_ONCE]) for start in starts)
    found: list[dict[str, Any]] = []
    decided: list[Decided] = []
    for face, crop, evidence in zip(faces, crops, evidences, strict=True):
        refused = refusal(crop, face.landmarks, picture.shape, limits)
        decision = decide(evidence, recogniser.policy)
        if refused is not None:
            decision = Decision.unknown(refused)
        decided.append((decision, evidence if refused is None else None))
        found.append(
            {
                "box": face.box.round(1),
                "landmarks": face.landmarks.round(1),
                "state": decision.state,
                "identity": decision.identity,
                "claimed": decision.claimed,
                "likely": decision.likely,
                "confidence": round(decision.confidence, 4),
                "reason": decision.reason,
                "raw": _best(evidence, evidence.raw) if refused is None else None,
                "masked": _best(evidence, evidence.defended) if refused is None else None,
            }
        )
    if save is not None:
        _save(save, picture, faces, decided, recogniser, Overlay(**config.overlay.model_dump()))
    return {"photo": str(path), "engine": recogniser.engine, "faces": found}


def print_faces(found: dict[str, Any], console: Console) -> None:
    """The answers as a table."""
    table = Table(title=found["photo"], title_justify="left")
    for column in ("face at", "verdict", "name", "confidence", "raw view says", "why"):
        table.add_column(column)
    for face in found["faces"]:
        name = face["identity"] or face["claimed"] or ""
        if face["claimed"]:
            name += f" (likely {face['likely']})" if face["likely"] not in (None, face["claimed"]) else " (claimed)"
        raw = face["raw"]
        x, y = (int(value) for value in face["box"][:2])
        table.add_row(
            f"{x}, {y}",
            face["state"].replace("_", " "),
            name,
            f"{face['confidence']:.2f}",
            f"{raw['name']} {raw['probability']:.2f}" if raw else "",
            face["reason"],
        )
    console.print(table)


def _best(evidence: CropEvidence, view: Any) -> dict[str, Any]:
    best = int(view.argmax())
    return {"name": evidence.labels[best], "probability": round(float(view[best]), 4)}


def _save(
    path: Path,
    picture: Bytes,
    faces: list[DetectedFace],
    decided: list[Decided],
    recogniser: Recogniser,
    overlay: Overlay,
) -> None:
    """The picture as the live view would show it, each face judged by its one decision."""
    now = time.monotonic()
    keeper = VerdictKeeper(VerdictRules(agreement=1, window=1, confidence=0.0), recogniser.policy)
    for number, (decision, evidence) in enumerate(decided):
        keeper.add(number, 0, decision, evidence, now, now)
    verdicts = {number: keeper.verdict(number, now) for number in range(len(faces))}
    status = Status(
        camera=path.stem, engine=recogniser.engine, fps=0.0, captured_at=now, wall_time=time.time(), now=now
    )
    tracks = [TrackedFace(number, face) for number, face in enumerate(faces)]
    drawn = overlay.draw(picture, tracks, {n: v for n, v in verdicts.items() if v is not None}, status)
    try:
        _, encoded = cv2.imencode(path.suffix, drawn)
    except cv2.error:
        raise BadInput(f"{path}: unknown kind of picture; end the name in .png or .jpg") from None
    write_whole(path, encoded.tobytes())

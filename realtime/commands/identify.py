"""Names the faces of one picture."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Lock, Thread
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
from realtime.people.photo import SUFFIXES, read_photo
from realtime.people.pictures import find_faces, find_turned
from realtime.settings.config import Config
from realtime.system.command_line import write_whole
from realtime.types import DetectedFace

_AT_ONCE = 8  # faces decided on: each takes some 40 MB, and a picture of a crowd would take gigabytes


@dataclass(frozen=True)
class Decided:
    """A face of a picture, its crop (S, S, 3) RGB, and what was decided; ``evidence`` None where it was refused."""

    face: DetectedFace
    crop: Bytes
    decision: Decision
    evidence: CropEvidence | None


@dataclass(frozen=True)
class Seen:
    """The faces of a picture of that shape, and their crops (N, S, S, 3) RGB."""

    faces: list[DetectedFace]
    crops: Bytes
    shape: tuple[int, ...]


class Identifier:
    """Loaded once, for any number of pictures."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._detector = detector_of(config.detection)
        self._recogniser: Recogniser | None = None
        self._loading = Lock()
        self._limits = config.quality
        self._realigner = realigner_of(config)

    @property
    def recogniser(self) -> Recogniser:
        """Loaded once, by whoever asks first."""
        with self._loading:
            self._recogniser = self._recogniser or recogniser_of(self._config)
        return self._recogniser

    def photo(self, path: Path, *, save: Path | None = None) -> dict[str, Any]:
        """Find, judge and decide on every face of a picture.

        Returns:
            ``photo``, ``engine`` and ``faces``: box, landmarks, state, identity, claimed, likely, confidence, reason,
            and the best names of the raw view and, where an alarm made it look there, of the one after the saliency
            mask.

        Raises:
            BadInput: the file is no picture, or it shows no face.
        """
        self._load_meanwhile()
        picture = read_photo(path)
        decided = self.decided(picture, str(path), quick=True)
        if save is not None:
            _save(save, picture, decided, self.recogniser, self._config)
        return self._answer(path, decided)

    def photos(self, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        """Many of them; while one is decided on, faces are sought in the next. See ``identify_photos``."""
        self._load_meanwhile()
        finder = ThreadPoolExecutor(1, thread_name_prefix="faces")
        try:
            for path, seen in zip(paths, finder.map(self._tried, paths), strict=True):
                if isinstance(seen, BadInput):
                    yield {"photo": str(path), "error": str(seen)}
                else:
                    yield self._answer(path, self._judged(seen, quick=True))
        finally:
            finder.shutdown(cancel_futures=True)

    def _load_meanwhile(self) -> None:
        """Load while the first picture is read and searched; what is wrong is said by who needs the recogniser."""

        def load() -> None:
            with suppress(BadInput):
                _ = self.recogniser

        Thread(target=load, name="recogniser").start()

    def _tried(self, path: Path) -> Seen | BadInput:
        try:
            return self._seen(read_photo(path), str(path))
        except BadInput as error:
            return error

    def _answer(self, path: Path, decided: Sequence[Decided]) -> dict[str, Any]:
        return {"photo": str(path), "engine": self.recogniser.engine, "faces": [_as_dict(one) for one in decided]}

    def decided(self, picture: Bytes, where: str, *, quick: bool = False) -> list[Decided]:
        """The decision on every face of a picture (H, W, 3) BGR, which is called ``where``.

        ``quick``: without the saliency of faces that raise no alarm.

        Raises:
            BadInput: it shows no face.
        """
        return self._judged(self._seen(picture, where), quick=quick)

    def _seen(self, picture: Bytes, where: str) -> Seen:
        faces = find_faces(self._detector, picture) or find_turned(self._detector, picture)[0]
        if not faces:
            raise BadInput(
                f"{where}: no face was found; give a picture with a face of at least {self._config.detection.min_face} "
                "pixels, or lower detection.min_face in the configuration"
            )
        size = self.recogniser.input_size
        crops = np.stack([cut_face(picture, face, size, self._realigner) for face in faces])
        return Seen(faces, crops, picture.shape)

    def _judged(self, seen: Seen, *, quick: bool) -> list[Decided]:
        recogniser, crops = self.recogniser, seen.crops
        parts = (crops[start : start + _AT_ONCE] for start in range(0, len(crops), _AT_ONCE))
        evidences = chain.from_iterable(recogniser.defend(part, quick=quick) for part in parts)
        found: list[Decided] = []
        for face, crop, evidence in zip(seen.faces, crops, evidences, strict=True):
            refused = refusal(crop, face.landmarks, seen.shape, self._limits)
            if refused is not None:
                found.append(Decided(face, crop, Decision.unknown(refused), None))
            else:
                found.append(Decided(face, crop, decide(evidence, recogniser.policy), evidence))
        return found


def identify_photo(path: Path, config: Config, *, save: Path | None = None) -> dict[str, Any]:
    """One picture, see ``Identifier.photo``."""
    return Identifier(config).photo(path, save=save)


def identify_photos(paths: Sequence[Path], config: Config) -> list[dict[str, Any]]:
    """Many pictures and folders of pictures; one that cannot be answered has ``error`` in the place of ``faces``.

    Raises:
        BadInput: a folder holds no picture, or none of all could be answered.
    """
    found = list(Identifier(config).photos([*chain.from_iterable(map(_pictures_of, paths))]))
    if all("error" in one for one in found):
        raise BadInput(f"{found[0]['error']} (and {len(found) - 1} more)" if len(found) > 1 else found[0]["error"])
    return found


def _pictures_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in SUFFIXES)
    if not found:
        raise BadInput(f"{path}: holds no picture; give pictures, or folders that hold some")
    return found


def _as_dict(decided: Decided) -> dict[str, Any]:
    face, decision, evidence = decided.face, decided.decision, decided.evidence
    return {
        "box": face.box.round(1),
        "landmarks": face.landmarks.round(1),
        "state": decision.state,
        "identity": decision.identity,
        "claimed": decision.claimed,
        "likely": decision.likely,
        "confidence": round(decision.confidence, 4),
        "reason": decision.reason,
        "raw": None if evidence is None else _best(evidence, evidence.raw),
        "masked": None if evidence is None or not evidence.explained else _best(evidence, evidence.defended),
    }


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


def _best(evidence: CropEvidence, view: Any) -> dict[str, Any] | None:
    """None in a gallery without people."""
    if not evidence.labels:
        return None
    best = int(view.argmax())
    return {"name": evidence.labels[best], "probability": round(float(view[best]), 4)}


def _save(
    path: Path,
    picture: Bytes,
    decided: Sequence[Decided],
    recogniser: Recogniser,
    config: Config,
) -> None:
    """The picture as the live view would show it, each face judged by its one decision."""
    from realtime.outputs.drawing.overlay import Overlay, Status  # takes a second: only who wants a picture pays
    from realtime.types import TrackedFace
    from realtime.verdicts.agreement import VerdictRules
    from realtime.verdicts.verdict import VerdictKeeper

    overlay = Overlay(**config.overlay.model_dump())
    now = time.monotonic()
    keeper = VerdictKeeper(VerdictRules(agreement=1, window=1, confidence=0.0), recogniser.policy)
    for number, one in enumerate(decided):
        keeper.add(number, 0, one.decision, one.evidence, now, now)
    verdicts = {number: keeper.verdict(number, now) for number in range(len(decided))}
    status = Status(
        camera=path.stem, engine=recogniser.engine, fps=0.0, captured_at=now, wall_time=time.time(), now=now
    )
    tracks = [TrackedFace(number, one.face) for number, one in enumerate(decided)]
    drawn = overlay.draw(picture, tracks, {n: v for n, v in verdicts.items() if v is not None}, status)
    try:
        _, encoded = cv2.imencode(path.suffix, drawn)
    except cv2.error:
        raise BadInput(f"{path}: unknown kind of picture; end the name in .png or .jpg") from None
    write_whole(path, encoded.tobytes())

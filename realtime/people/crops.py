"""Cuts the face crops of people out of their pictures: detect, choose, align, write, and record what was dropped.

Each picture gives at most one crop, ``TARGET/<person>/<file>.png``. ``TARGET/prepare.json`` says what was
dropped and why. A second run keeps the crops whose picture has not changed and does only the rest; it deletes
those that it has no picture for any more. What an interrupted run leaves says ``"complete": false``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from models.arrays import Bytes
from models.crop.pose import template
from models.errors import BadInput
from models.files import inside, read_regular
from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.people.photo import MAX_BYTES, decode_photo
from realtime.people.pictures import choose_face, find_faces, find_turned, left_out, people_of
from realtime.people.preparation import REPORT, Outcome, crop_name, earlier_outcomes, summary
from realtime.system.command_line import write_json, write_whole

_SMALLEST_EYE_DISTANCE = 12.0  # pixels; below that a face of the crop's 39 (at 112) is mostly invented


def nominal_landmarks(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Landmarks of a picture that is a face crop already: the template, scaled to the largest centred square."""
    side = min(shape[0], shape[1])
    corner = np.array([(shape[1] - side) / 2, (shape[0] - side) / 2], dtype=np.float32)
    return np.asarray(template(side) + corner, dtype=np.float32)


def crop_of(
    bgr: Bytes, detector: FaceDetector, size: int, *, keep_undetected: bool = False
) -> tuple[Bytes | None, str, int]:
    """(crop (size, size, 3) RGB or None, remark or reason for None, number of faces found)."""
    faces = find_faces(detector, bgr)
    turned = 0
    if not faces and not keep_undetected:
        faces, turned = find_turned(detector, bgr)
    if not faces:
        if keep_undetected:
            return crop_face(bgr, nominal_landmarks(bgr.shape), size), "no face found, nominal geometry used", 0
        return None, "no face found", 0
    face = choose_face(faces, bgr.shape)
    distance = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    if distance < _SMALLEST_EYE_DISTANCE:
        return None, f"face too small ({distance:.0f} pixels between the eyes)", len(faces)
    remark = "" if len(faces) == 1 else f"{len(faces)} faces, kept the large one near the middle"
    if turned:
        remark = "stood on its head, turned" if turned == 180 else "lay on its side, turned"
    return crop_face(bgr, face.landmarks, size), remark, len(faces)


def prepare(
    source: Path,
    target: Path,
    *,
    size: int = 128,
    allow_single: bool = False,
    keep_undetected: bool = False,
    detector: FaceDetector | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Do what ``python -m tools.prepare`` does; the report is also written to ``target``.

    Raises:
        BadInput: see ``people_of``; or the target lies in the source, cannot be written, or somebody has
            fewer than two crops left (one with ``allow_single``).
    """
    if size < 32:
        raise BadInput(f"--size {size}: a crop needs at least 32 pixels a side")
    if target.resolve().is_relative_to(source.resolve()):
        raise BadInput(f"{target}: lies in the source; give a folder outside of {source}")
    people = people_of(source, least=1 if allow_single else 2)
    skipped = left_out(source)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{target}: cannot be made ({error.strerror})") from error
    how = {"size": size, "keep_undetected": keep_undetected}
    before = earlier_outcomes(target, how)
    detector = detector or MtcnnDetector(min_face=40)
    done: dict[tuple[str, str], Outcome] = {}
    rest = before.copy()  # what earlier runs wrote and this one has neither gone over nor deleted yet
    complete = False

    def write() -> dict[str, Any]:
        report = summary(how, [*done.values(), *rest.values()], complete=complete, skipped=skipped)
        write_json(target / REPORT, report)
        return report

    write()  # before any crop changes: a half result must not pass for a whole one
    try:
        for person, picture in track(list(_all(people)), description="faces", disable=quiet):
            key = (person, picture.name)
            outcome = _one(person, picture, target, detector, size, keep_undetected, before.get(key))
            if not outcome.kept and key in before:
                _delete(target, before[key])
            done[key] = outcome
            rest.pop(key, None)
        for key in list(rest):
            _delete(target, rest[key])
            del rest[key]
        complete = True
    finally:
        report = write()  # also after an interruption: the next run goes on from here
    for person in people:
        left = sum(o.kept for o in done.values() if o.person == person)
        if left < (1 if allow_single else 2):
            raise BadInput(
                f"{source / person}: faces were found in {left} of {len(people[person])} pictures, too few to train"
                f" (reasons in {target / REPORT}); add pictures or remove the folder"
            )
    return report


def _all(people: dict[str, list[Path]]) -> Iterator[tuple[str, Path]]:
    return ((person, picture) for person, pictures in people.items() for picture in pictures)


def _one(
    person: str,
    picture: Path,
    target: Path,
    detector: FaceDetector,
    size: int,
    keep_undetected: bool,
    earlier: Outcome | None,
) -> Outcome:
    try:
        content = read_regular(picture, MAX_BYTES)
        digest = hashlib.sha256(content).hexdigest()[:32]
        path = _crop_path(target, person, picture.name)
        if earlier is not None and earlier.digest == digest and (path.exists() or not earlier.kept):
            return earlier
        bgr = decode_photo(content, "the file")
    except BadInput as error:
        reason = str(error).removeprefix(f"{picture}: ").removeprefix("the file ").partition(";")[0]
        return Outcome(person, picture.name, False, reason, "")
    crop, reason, faces = crop_of(bgr, detector, size, keep_undetected=keep_undetected)
    if crop is not None:
        done, png = cv2.imencode(".png", crop[..., ::-1])
        assert done
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise BadInput(f"{path.parent}: cannot be made ({error.strerror})") from error
        write_whole(path, png.tobytes())
    return Outcome(person, picture.name, crop is not None, reason, digest, faces)


def _crop_path(target: Path, person: str, picture: str) -> Path:
    return inside(target, person, crop_name(picture))


def _delete(target: Path, outcome: Outcome) -> None:
    """Delete the crop, and the person's folder where nothing else is in it; nothing that a link leads to elsewhere."""
    if outcome.kept:
        path = _crop_path(target, outcome.person, outcome.picture)
        if path.parent.is_symlink():
            return
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone already
            path.parent.rmdir()

"""Cuts canonical face crops out of a folder per person: ``python -m tools.prepare SOURCE TARGET``.

Each picture gives at most one crop, ``TARGET/<person>/<file>.png``. ``TARGET/prepare.json`` says what was
dropped and why. A second run keeps the crops whose picture has not changed and does only the rest; it deletes
those that it has no picture for any more. What an interrupted run leaves says ``"complete": false``.
"""

from __future__ import annotations

import realtime.cli as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt
import typer
from rich.progress import track

from models.errors import BadInput
from models.pose import template
from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.types import DetectedFace

Bytes = npt.NDArray[np.uint8]

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
REPORT = "prepare.json"
_SMALLEST_EYE_DISTANCE = 12.0  # pixels; below that a face of the crop's 39 (at 112) is mostly invented
_PADDING = 0.25  # of the longer side: a face that touches the border is found better with some room around it

app = typer.Typer(add_completion=False, help="Cut canonical face crops out of a folder per person.")


@dataclass(frozen=True)
class Outcome:
    """What became of one picture. ``reason`` is empty where a crop was written without remark; ``digest`` where the
    crop has to be made anew."""

    person: str
    picture: str
    kept: bool
    reason: str
    digest: str
    faces: int = 0


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
    """(H, W, 3) uint8 BGR, turned upright as its EXIF says; None where OpenCV cannot read it."""
    try:
        content = np.fromfile(path, dtype=np.uint8)  # unlike cv2.imread: any path on Windows, and no warnings
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except (cv2.error, OSError):
        return None
    return None if picture is None else np.asarray(picture, dtype=np.uint8)


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
    if not faces:
        if keep_undetected:
            return crop_face(bgr, nominal_landmarks(bgr.shape), size), "no face found, nominal geometry used", 0
        return None, "no face found", 0
    face = choose_face(faces, bgr.shape)
    distance = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    if distance < _SMALLEST_EYE_DISTANCE:
        return None, f"face too small ({distance:.0f} pixels between the eyes)", len(faces)
    remark = "" if len(faces) == 1 else f"{len(faces)} faces, kept the large one near the middle"
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
    """Do what the command does; the report is also written to ``target``.

    Raises:
        BadInput: see ``people_of``; or the target lies in the source, cannot be written, or somebody has
            fewer than two crops left (one with ``allow_single``).
    """
    if size < 32:
        raise BadInput(f"--size {size}: a crop needs at least 32 pixels a side")
    if target.resolve().is_relative_to(source.resolve()):
        raise BadInput(f"{target}: lies in the source; give a folder outside of {source}")
    people = people_of(source, least=1 if allow_single else 2)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{target}: cannot be made ({error.strerror})") from error
    how = {"size": size, "keep_undetected": keep_undetected}
    before = _earlier(target, how)
    detector = detector or MtcnnDetector(min_face=40)
    done: dict[tuple[str, str], Outcome] = {}
    rest = before.copy()  # what earlier runs wrote and this one has neither gone over nor deleted yet
    complete = False

    def write() -> dict[str, Any]:
        report = _report(how, [*done.values(), *rest.values()], complete=complete)
        cli.write_json(target / REPORT, report)
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


@app.command()
def main(
    source: Annotated[Path, typer.Argument(help="Folder that holds one folder of pictures per person.")],
    target: Annotated[Path, typer.Argument(help="Folder for the crops; made if missing.")],
    size: Annotated[int, typer.Option(help="Side of the crops in pixels.")] = 128,
    allow_single: Annotated[bool, typer.Option(help="Accept people with one picture.")] = False,
    keep_undetected: Annotated[
        bool, typer.Option(help="Keep pictures without a detected face: they are face crops already.")
    ] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Find the face in each picture, align it, and write TARGET/<person>/<file>.png."""
    report = prepare(source, target, size=size, allow_single=allow_single, keep_undetected=keep_undetected, quiet=False)
    cli.write_json(json_file, report)
    cli.console.print(f"{report['kept']} of {report['pictures']} pictures kept, {report['people']} people, in {target}")
    for reason, count in report["reasons"].items():
        cli.console.print(f"  {count} x {reason}")


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
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()[:32]
    except OSError as error:
        return Outcome(person, picture.name, False, f"unreadable ({error.strerror})", "")
    path = _crop_path(target, person, picture.name)
    if earlier is not None and earlier.digest == digest and (path.exists() or not earlier.kept):
        return earlier
    bgr = read_picture(picture)
    if bgr is None:
        return Outcome(person, picture.name, False, "not a readable picture", digest)
    crop, reason, faces = crop_of(bgr, detector, size, keep_undetected=keep_undetected)
    if crop is not None:
        done, png = cv2.imencode(".png", crop[..., ::-1])
        assert done
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise BadInput(f"{path.parent}: cannot be made ({error.strerror})") from error
        cli.write_whole(path, png.tobytes())
    return Outcome(person, picture.name, crop is not None, reason, digest, faces)


def _report(how: dict[str, Any], outcomes: list[Outcome], *, complete: bool) -> dict[str, Any]:
    reasons: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.reason:
            reasons[outcome.reason] = reasons.get(outcome.reason, 0) + 1
    return {
        "complete": complete,
        "settings": how,
        "people": len({o.person for o in outcomes}),
        "pictures": len(outcomes),
        "kept": sum(o.kept for o in outcomes),
        "detected_share": sum(o.faces > 0 for o in outcomes) / len(outcomes) if outcomes else None,
        "reasons": dict(sorted(reasons.items(), key=lambda item: -item[1])),
        "dropped": [asdict(o) for o in outcomes if not o.kept],
        "outcomes": [asdict(o) for o in outcomes],
    }


def _crop_path(target: Path, person: str, picture: str) -> Path:
    return target / person / f"{picture}.png"


def _delete(target: Path, outcome: Outcome) -> None:
    """Delete the crop, and the person's folder where nothing else is in it."""
    if outcome.kept:
        path = _crop_path(target, outcome.person, outcome.picture)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone already
            path.parent.rmdir()


def _earlier(target: Path, how: dict[str, Any]) -> dict[tuple[str, str], Outcome]:
    """The outcomes of the runs before this one by person and picture; without digest where the settings differ."""
    try:
        report = json.loads((target / REPORT).read_text(encoding="utf-8"))
        found = [Outcome(**outcome) for outcome in report["outcomes"]]
        same = report["settings"] == how
        safe = [o for o in found if Path(o.person).name == o.person and Path(o.picture).name == o.picture]
        return {(o.person, o.picture): o if same else replace(o, digest="") for o in safe}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


if __name__ == "__main__":
    cli.run_app(app)

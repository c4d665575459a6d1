"""Where pictures of a person come from: a picture, a folder of them, a video, a webcam or a network camera."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from models.files import read_regular
from realtime.cameras.open import is_live, open_camera
from realtime.cameras.states import CameraError
from realtime.people.photo import MAX_BYTES, SUFFIXES, decode_photo
from realtime.system.redact import redact

#: Pictures a second that are looked at of a video or a camera: faces look the same in neighbouring ones.
RATE = 3.0
#: Most pictures that are looked at of one video or camera.
MOST_LOOKED_AT = 60
_DIGEST_LENGTH = 32


@dataclass(frozen=True)
class Shot:
    """A picture that may show the person. ``digest``: of the file, or of a video's pixels."""

    name: str
    bgr: Bytes
    digest: str
    moving: bool = False  # one of many of a video or a camera


@dataclass(frozen=True)
class Skipped:
    """A picture that was not taken, and why."""

    name: str
    reason: str


def shots_of(source: str, *, seconds: float = 10.0) -> Iterator[Shot | Skipped]:
    """The pictures of one source, one after another.

    Args:
        source: a picture, a folder of pictures, a video, a camera's number, or an rtsp:// or http(s):// address.
        seconds: how long to look at a camera.

    Raises:
        BadInput: there is no such file or folder, the folder holds no picture, or the camera gives none.
    """
    path = Path(source)
    if path.is_dir():
        yield from _of_folder(path)
    elif is_live(source) or path.suffix.lower() not in SUFFIXES:
        if not is_live(source) and not path.exists():
            raise BadInput(f"{redact(source)}: there is no such file or folder; give pictures, a video or a camera")
        yield from _of_camera(source, seconds)
    else:
        yield shot_of(read_regular(path, MAX_BYTES), str(path))


def shot_of(content: bytes, name: str) -> Shot:
    """A picture file's content.

    Raises:
        BadInput: it is no picture.
    """
    return Shot(name, decode_photo(content, name), hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH])


def digest_of_pixels(bgr: Bytes) -> str:
    """What a picture without a file is called by."""
    return hashlib.sha256(np.ascontiguousarray(bgr).tobytes()).hexdigest()[:_DIGEST_LENGTH]


def _of_folder(folder: Path) -> Iterator[Shot | Skipped]:
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] not in ".@#$~")
    except OSError as error:
        raise BadInput(f"{folder}: cannot be read ({error.strerror})") from error
    if not any(file.suffix.lower() in SUFFIXES for file in files):
        raise BadInput(f"{folder}: holds no picture; give a folder with pictures of one person")
    for file in files:
        if file.suffix.lower() not in SUFFIXES:
            yield Skipped(file.name, f"{file.suffix or 'its name'} is no kind of picture that is read")
            continue
        try:
            yield shot_of(read_regular(file, MAX_BYTES), file.name)
        except BadInput as error:
            yield Skipped(file.name, _without_name(str(error), file))


def _of_camera(source: str, seconds: float) -> Iterator[Shot | Skipped]:
    live = is_live(source)
    name = redact(source) if live else Path(source).name
    try:
        with closing(open_camera(source, every_frame=not live)) as camera:
            step = 1 if live else max(1, round((camera.native_fps or 25.0) / RATE))
            started, due, looked = time.monotonic(), 0.0, 0
            while looked < MOST_LOOKED_AT:
                frame = camera.read()
                passed = time.monotonic() - started
                if live and passed > seconds:
                    return
                if (live and passed < due) or frame.index % step:
                    continue
                due, looked = passed + 1 / RATE, looked + 1
                bgr = frame.bgr
                yield Shot(f"{name}, picture {frame.index}", bgr, digest_of_pixels(bgr), moving=True)
    except CameraError as error:
        if not error.cause.name == "END_OF_FILE":
            raise error.as_bad_input() from None


def _without_name(message: str, file: Path) -> str:
    """The reason alone: the list of those skipped says the name."""
    for name in (str(file), file.name):
        message = message.removeprefix(name).lstrip(": ")
    return message.split(";")[0].removeprefix("is ")

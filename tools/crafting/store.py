"""The output folder: what is in it is whole, and what is whole is not made again.

``job.json`` says what is being made; ``pairs/<number>/`` holds a pair's pictures and, written last,
``record.json`` with their SHA-256. A pair counts as done only if its record can be read and every picture it
names is there with that checksum, so a half-written result is made anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from realtime.system.command_line import write_json, write_whole
from tools.crafting.records import Record

JOB, RECORD, MANIFEST, CONTACT_SHEET = "job.json", "record.json", "manifest.json", "contact_sheet.png"


def png(picture: Bytes) -> bytes:
    """(H, W, 3) RGB or (H, W, 4) RGBA uint8 -> PNG."""
    order = [2, 1, 0, 3] if picture.shape[2] == 4 else [2, 1, 0]
    done, content = cv2.imencode(".png", np.ascontiguousarray(picture[..., order]))
    assert done
    return content.tobytes()


def read_png(path: Path) -> Bytes:
    """(H, W, 3) RGB uint8 of a picture on disk.

    Raises:
        BadInput: it is missing or damaged.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except (OSError, cv2.error):
        picture = None
    if picture is None:
        raise BadInput(f"{path}: cannot be read back; run the command again to make it anew")
    return np.asarray(picture[..., ::-1], dtype=np.uint8)


class Store:
    """One run's folder.

    Args:
        folder: made if missing.
        job: everything that decides what is made (settings, bundle checksum, pictures).
        discard: forget a different run's results in the same folder.

    Raises:
        BadInput: the folder cannot be written, or holds another run's results.
    """

    def __init__(self, folder: Path, job: Mapping[str, object], *, discard: bool = False) -> None:
        self.folder = folder
        try:
            (folder / "pairs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{folder}: cannot be made ({error.strerror}); give another --out") from error
        before = _read(folder / JOB)
        now = json.loads(json.dumps(job))
        other = None if before == now else before
        if other is not None and not discard:
            different = sorted(key for key in {*other, *now} if other.get(key) != now.get(key))
            raise BadInput(
                f"{folder}: holds another run ({', '.join(different)} differ);"
                " give another --out, or --again to discard it"
            )
        try:
            if other is not None:
                for place in (folder / "pairs").glob("[0-9]*"):
                    shutil.rmtree(place)
            for last in (MANIFEST, CONTACT_SHEET):  # they come last: a folder without them is not finished
                (folder / last).unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(
                f"{folder}: an earlier run cannot be removed ({error.strerror}); give another --out"
            ) from error
        write_json(folder / JOB, job)

    def place(self, key: str) -> Path:
        return self.folder / "pairs" / key

    def done(self, key: str) -> Record | None:
        """The record of a whole result, otherwise None."""
        record = _read(self.place(key) / RECORD)
        sums = None if record is None else record.get("sha256")
        if not isinstance(sums, dict):
            return None
        for name, expected in sums.items():
            try:
                content = (self.place(key) / Path(str(name)).name).read_bytes()
            except OSError:
                return None
            if hashlib.sha256(content).hexdigest() != expected:
                return None
        return cast(Record, record)

    def write_pictures(self, key: str, pictures: dict[str, Bytes]) -> dict[str, str]:
        """Write a pair's pictures; gives their checksums by file name.

        Raises:
            BadInput: they cannot be written (a full disk, say).
        """
        place = self.place(key)
        try:
            place.mkdir(exist_ok=True)
            (place / RECORD).unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(f"{place}: cannot be written ({error.strerror})") from error
        sums = {}
        for name, picture in pictures.items():
            content = png(picture)
            write_whole(place / name, content)
            sums[name] = hashlib.sha256(content).hexdigest()
        return sums

    def finish(self, key: str, record: Record) -> None:
        """Write the record, which makes the result count."""
        write_json(self.place(key) / RECORD, record)


def _read(path: Path) -> dict[str, object] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None

"""Files that every node holds: the bundle and the people, sent by checksum where they are missing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import BadInput
from models.files import inside, whole_file
from models.graphs.cache import cache_folder

_log = logging.getLogger(__name__)
PART = 4 << 20  # bytes sent at a time

#: (checksum, offset) -> at most ``PART`` bytes from there on
GivePart = Callable[[str, int], bytes]


@dataclass(frozen=True)
class Parcel:
    """Files by name, each with its SHA-256. ``sizes`` are bytes, where they are known."""

    name: str
    checksums: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def checksum(self) -> str:
        """Of the whole."""
        lines = "".join(f"{name} {self.checksums[name]}\n" for name in sorted(self.checksums))
        return hashlib.sha256(lines.encode()).hexdigest()


def parcel_of(folder: Path) -> Parcel:
    """The files of a bundle's folder."""
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    checksums = {file.name: _checksum(file) for file in files}
    return Parcel(folder.name, checksums, {file.name: file.stat().st_size for file in files})


class Shelf:
    """Gives parts of the files that it was shown, by checksum."""

    def __init__(self) -> None:
        self._files: dict[str, Path] = {}

    def show(self, folder: Path, parcel: Parcel) -> None:
        """Whoever asks for a file of this parcel gets it from ``folder``."""
        self._files |= {checksum: folder / name for name, checksum in parcel.checksums.items()}

    def part(self, checksum: str, offset: int) -> bytes:
        """See ``GivePart``. Raises ``KeyError`` for a file that it was not shown."""
        with self._files[checksum].open("rb") as file:
            file.seek(offset)
            return file.read(PART)


def fetched(parcel: Parcel, give: GivePart, under: Path | None = None) -> Path:
    """The folder of this node that holds the parcel's files; what is missing or another is fetched.

    Raises:
        BadInput: what came has another checksum.
    """
    folder = inside((under or cache_folder()) / "parcels", parcel.checksum)
    folder.mkdir(parents=True, exist_ok=True)
    for name, checksum in parcel.checksums.items():
        file = inside(folder, name)
        if file.is_file() and _checksum(file) == checksum:
            continue
        _log.info("%s of %s is not here; it is sent", name, parcel.name)
        digest, offset = hashlib.sha256(), 0
        with whole_file(file) as stream:
            while part := give(checksum, offset):
                stream.write(part)
                digest.update(part)
                offset += len(part)
            if digest.hexdigest() != checksum:
                raise BadInput(f"{parcel.name}: {name} came with another checksum; look at the file on the head's node")
    return folder


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""The aligned crops of people who asked for them to be kept: one file for each picture, named by its digest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from models.files import inside, read_regular, whole_file
from models.gallery.gallery import Gallery, Person
from realtime.people.photo import MAX_BYTES, read_photo

if TYPE_CHECKING:
    from realtime.people.judge import GoodFace


class KeptPictures:
    """A folder beside the gallery's file, readable by its owner only."""

    def __init__(self, gallery_file: Path) -> None:
        self.folder = gallery_file.with_name(gallery_file.name + ".pictures")

    def keep(self, faces: Iterable[GoodFace]) -> None:
        """Write the crops.

        Raises:
            BadInput: the folder cannot be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for face in faces:
                _, encoded = cv2.imencode(".png", face.crop[..., ::-1])
                with whole_file(self._path(face.digest), permissions=0o600) as file:
                    file.write(encoded.tobytes())
        except OSError as error:
            raise BadInput(f"{self.folder}: the pictures cannot be kept ({error.strerror})") from error

    def crops(self, person: Person) -> tuple[Bytes, list[str]]:
        """Those kept of a person, (N, S, S, 3) RGB, and their digests; N = 0 where none are."""
        found = [(read_photo(self._path(digest)), digest) for digest in person.digests if self.has(digest)]
        if not found:
            return np.zeros((0, 1, 1, 3), np.uint8), []
        return np.stack([np.ascontiguousarray(bgr[..., ::-1]) for bgr, _ in found]), [digest for _, digest in found]

    def files(self, person: Person) -> list[Path]:
        """The files of a person's crops."""
        return [self._path(digest) for digest in person.digests if self.has(digest)]

    def content(self, digest: str) -> bytes | None:
        """A crop as a PNG file; None where it is not kept."""
        return read_regular(self._path(digest), MAX_BYTES) if self.has(digest) else None

    def has(self, digest: str) -> bool:
        """Whether this picture's crop is kept."""
        return self._path(digest).is_file()

    def remove_unused(self, gallery: Gallery) -> int:
        """Delete the crops of nobody in the gallery; gives how many."""
        used = {digest for person in gallery.people for digest in person.digests}
        gone = [path for path in self.folder.glob("*.png") if path.stem not in used]
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)

    def _path(self, digest: str) -> Path:
        return inside(self.folder, f"{digest}.png")

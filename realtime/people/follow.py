"""Takes a changed gallery up while a pipeline runs, in a small thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from models.errors import BadInput
from models.gallery.store import GalleryStore
from models.recogniser import Recogniser

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.5  # seconds

Mark = tuple[int, int, int]


class GalleryFollower:
    """Looks at the gallery's file twice a second; a new one is read and used, a bad one leaves the people as they are.

    Args:
        file: need not exist yet; None: follow nothing.
    """

    def __init__(self, recogniser: Recogniser, file: Path | None) -> None:
        self._recogniser, self._file = recogniser, file
        self._seen: Mark | None = None  # the first look reads it: it may have changed while the network was loaded
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="gallery", daemon=True)
        self.taken_up = 0  # changes so far

    def __enter__(self) -> GalleryFollower:
        if self._file is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _follow(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            self.look()

    def look(self) -> bool:
        """Whether a change was taken up."""
        now = _mark(self._file)
        if self._file is None or now == self._seen or now is None:
            return False
        self._seen = now
        started = time.monotonic()
        try:
            people = GalleryStore(self._file).read()
            self._recogniser.use_gallery(people)
        except BadInput as error:
            log.warning("the people stay as they were: %s", error)
            return False
        self.taken_up += 1
        log.info("%d people from now on, taken up in %.0f ms", len(people), (time.monotonic() - started) * 1e3)
        return True


def _mark(file: Path | None) -> Mark | None:
    try:
        found = os.stat(file) if file is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)

"""Keeps a gallery in a file: written whole, the last ten states beside it, one change at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from models.errors import BadInput
from models.files import whole_file
from models.gallery.file import decode, encode, read_file
from models.gallery.gallery import Gallery

#: States kept for undo.
STATES = 10
_PATIENCE = 10.0  # seconds that a change waits for another one


class GalleryStore:
    """A gallery's file.

    Args:
        path: the file; its earlier states are in ``<name>.states`` beside it.
        patience: seconds to wait for another program's change.
    """

    def __init__(self, path: Path, *, patience: float = _PATIENCE) -> None:
        self.path = path
        self.states_folder = path.with_name(path.name + ".states")
        self._patience = patience

    def read(self) -> Gallery:
        """The gallery as it is now.

        Raises:
            BadInput: there is none, or it is damaged.
        """
        return decode(read_file(self.path), self.path)

    def digest(self) -> str | None:
        """SHA-256 of the file; None where there is none that can be read."""
        try:
            return hashlib.sha256(read_file(self.path)).hexdigest()
        except BadInput:
            return None

    def change(self, change: Callable[[Gallery], Gallery], *, start: Callable[[], Gallery] | None = None) -> Gallery:
        """Read, change, write, while nobody else does; the state before is kept for ``undo``.

        Args:
            change: gives the new gallery; raises to leave all as it is.
            start: gives the gallery to begin with where there is no file yet.

        Raises:
            BadInput: what ``change`` raises; the file is damaged; another change takes too long; the disk is full
                (the old state stays).
        """
        with self._alone():
            if start is not None and not self.path.exists():
                before = start()
                former = encode(before)
            else:
                former = read_file(self.path)
                before = decode(former, self.path)
            after = change(before)
            self._replace(encode(after), former)
            return after

    def undo(self) -> Gallery:
        """Back to the state before the last change.

        Raises:
            BadInput: no earlier state is kept, or as ``change``.
        """
        with self._alone():
            now = self.digest()
            for state in reversed(self.states()):
                content = read_file(state)
                if hashlib.sha256(content).hexdigest() == now:  # left by a crash between keeping and replacing
                    state.unlink()
                    continue
                gallery = decode(content, state)
                self._replace(content)
                state.unlink()
                return gallery
        raise BadInput(f"{self.path}: no earlier state is kept; there is nothing to undo")

    def purge(self, name: str) -> Gallery:
        """Remove a person from the gallery and from every state that is kept: nothing brings them back.

        Raises:
            BadInput: nobody has that name, now or in a state; or as ``change``.
        """
        with self._alone():
            found = self._purge_states(name)
            gallery = self.read()
            if gallery.find(name) is not None:
                gallery = gallery.remove(name)
                self._replace(encode(gallery))
            elif not found:
                gallery.person(name)  # raises, with the names that are near
            return gallery

    def _purge_states(self, name: str) -> bool:
        """Whether anybody had that name; a state that cannot be read, and so not be cleaned, goes."""
        found = False
        for state in self.states():
            try:
                earlier = decode(read_file(state), state)
            except BadInput:
                state.unlink()
                continue
            if earlier.find(name) is not None:
                found = True
                self._put(state, encode(earlier.remove(name)))
        return found

    def states(self) -> list[Path]:
        """The files of the earlier states, oldest first."""
        found = [path for path in self.states_folder.glob("*.npz") if path.stem.isdecimal()]
        return sorted(found, key=lambda path: int(path.stem))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(str(self.path) + ".lock", timeout=self._patience, mode=0o600):
                yield
        except Timeout:
            raise BadInput(f"{self.path}: another change is being made; try again when it is done") from None
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be changed ({error.strerror}); the old state stays") from error

    def _replace(self, content: bytes, former: bytes | None = None) -> None:
        """First the new state beside its place, then the former one among the states, then the step that counts."""
        with whole_file(self.path, permissions=0o600) as stream:
            _write(stream, content)
            if former is not None:
                self._keep(former)
        for old in self.states()[:-STATES]:
            with suppress(OSError):
                old.unlink()

    def _keep(self, content: bytes) -> None:
        self.states_folder.mkdir(mode=0o700, exist_ok=True)
        states = self.states()
        self._put(self.states_folder / f"{int(states[-1].stem) + 1 if states else 1:06d}.npz", content)

    def _put(self, path: Path, content: bytes) -> None:
        with whole_file(path, permissions=0o600) as stream:
            _write(stream, content)


def _write(stream: BinaryIO, content: bytes) -> None:
    """Onto the disk, before it takes its place."""
    stream.write(content)
    stream.flush()
    os.fsync(stream.fileno())

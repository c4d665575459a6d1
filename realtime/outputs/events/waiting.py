"""Events whose rows cannot be stored yet: another program holds the database, or the disk is full.

They wait in ``waiting/``, a file each, and survive the end of the program. On a full disk there is room for a few
hundred of them, held by ``waiting.reserve`` until then; beyond it they wait in memory. They are stored in their
order as soon as it can be done.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.errors import BadInput
from models.files import open_regular, whole_file
from realtime.outputs.events.rows import Row, row_of

_log = logging.getLogger(__name__)
_MOST_IN_MEMORY = 1000  # rows of a few kilobytes
_MOST = 100_000
_RESERVE = 1 << 20  # bytes
_LARGEST = 8 << 20  # bytes of one row


@dataclass
class _Entry:
    file: Path
    row: Row | None  # None: in the file


class Waiting:
    """A queue of rows in ``folder``, oldest first. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reserve = folder.with_suffix(".reserve")
        self._number = 0
        self._entries: deque[_Entry] = deque()
        for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            self._entries.append(_Entry(file, None))
            self._number = max(self._number, int(file.stem) if file.stem.isdigit() else 0)

    def __len__(self) -> int:
        return len(self._entries)

    def rows(self) -> list[Row]:
        """All of them, oldest first."""
        rows = [entry.row or _read(entry.file) for entry in self._entries]
        return [row for row in rows if row is not None]

    def in_memory(self) -> int:
        """How many would be lost if the program ended now."""
        return sum(entry.row is not None for entry in self._entries)

    def add(self, row: Row) -> bool:
        """Put a row at the end; False where there is no room for another."""
        if len(self._entries) >= _MOST or self.in_memory() >= _MOST_IN_MEMORY:
            return False
        self._number += 1
        entry = _Entry(self._folder / f"{self._number:09d}.json", row)
        self._spill(entry)
        self._entries.append(entry)
        return True

    def hold_room(self) -> None:
        """Keep a little of the disk for when it is full."""
        with contextlib.suppress(OSError):
            if not self._reserve.exists():
                with whole_file(self._reserve, permissions=0o600) as file:
                    file.write(bytes(_RESERVE))

    def land(self, store: Callable[[Row], None]) -> None:
        """Store the rows in their order; what ``store`` raises ends it, and the row stays the first."""
        while self._entries:
            entry = self._entries[0]
            row = entry.row or _read(entry.file)
            if row is not None:
                store(row)
                with contextlib.suppress(OSError):
                    entry.file.unlink(missing_ok=True)
            self._entries.popleft()
        self.hold_room()

    def spill(self) -> int:
        """Try once more to write what is in memory; gives how many are still there."""
        for entry in self._entries:
            if entry.row is not None:
                self._spill(entry)
        return self.in_memory()

    def _spill(self, entry: _Entry) -> None:
        _spill(entry)
        if entry.row is not None and self._reserve.exists():
            with contextlib.suppress(OSError):
                self._reserve.unlink()
                _spill(entry)


def _spill(entry: _Entry) -> None:
    assert entry.row is not None
    try:
        entry.file.parent.mkdir(mode=0o700, exist_ok=True)
        with whole_file(entry.file, permissions=0o600) as file:
            file.write(entry.row.text().encode())
    except OSError as error:
        _log.debug("an event waits in memory: %s", error)
    else:
        entry.row = None


def _read(file: Path) -> Row | None:
    """The row in a file; one that is damaged is left where it is, under another name. Raises ``OSError``."""
    try:
        with open_regular(file) as stream:
            return row_of(stream.read(_LARGEST).decode())
    except FileNotFoundError:
        return None
    except (BadInput, ValueError, KeyError, TypeError) as error:
        _log.warning("%s: the event that waits in it cannot be read (%s); it is kept as .damaged", file, error)
        with contextlib.suppress(OSError):
            file.rename(file.with_suffix(".damaged"))
        return None

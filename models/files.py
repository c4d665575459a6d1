"""Files that are seen whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is written beside its place (``.part``) and moved there at the end of the block.

    Raises:
        OSError: the disk is full, or the folder cannot be written; an earlier file stays.
    """
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        yield stream
    partial.replace(path)

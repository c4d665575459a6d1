"""Files from strangers read with a limit, and files that are seen whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from models.errors import BadInput

_LONGEST_NAME = 255  # bytes, of ext4, xfs, btrfs, APFS; NTFS counts characters


def open_regular(path: Path) -> BinaryIO:
    """An ordinary file, opened to be read; a link to one is followed.

    A pipe, a socket or a device is never waited for: it is refused by what it is, before anything is read.

    Raises:
        BadInput: it is no ordinary file.
        OSError: it is missing, or cannot be read.
    """
    # Not blocking: opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise BadInput(f"{path}: is {_kind(mode)}, no ordinary file; give a file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """The content of an ordinary file (see ``open_regular``) of at most ``most`` bytes.

    Raises:
        BadInput: it is missing, no ordinary file, larger, or cannot be read.
    """
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)  # it may grow while it is read
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder, no ordinary file; give a file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadInput(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(content) > most:
        raise BadInput(f"{path}: is larger than the {size_in_words(most)} that are read of such a file")
    return content


def size_in_words(size: int) -> str:
    """A number of bytes, as in "4 MiB"."""
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB" if size >= 1 << 10 else f"{size} bytes"


def is_plain_name(name: str) -> bool:
    """Whether ``name`` names something in a folder and nothing outside of it, on any system."""
    return (
        name not in ("", ".", "..")
        and not any(c in name for c in '/\\:\0')
        and len(os.fsencode(name)) <= _LONGEST_NAME
    )  # fmt: skip


def inside(folder: Path, *names: str) -> Path:
    """``folder`` / ``names``, each of which is one step down: no absolute path, no ``..``.

    Raises:
        BadInput: one of them would lead elsewhere, or no file can have it as its name.
    """
    for name in names:
        if not is_plain_name(name):
            raise BadInput(f"{folder}: {name!r} is not the name of anything in this folder")
    return folder.joinpath(*names)


@contextmanager
def whole_file(path: str | Path, *, permissions: int = 0o666) -> Iterator[BinaryIO]:
    """A file that is written beside its place (``.part``) and moved there at the end of the block.

    A link is followed: what it points to is replaced. ``permissions`` are cut by the process's umask.

    Raises:
        OSError: the disk is full, or the folder cannot be written; an earlier file stays, and nothing beside it.
    """
    folder, name = os.path.split(os.path.realpath(path))
    partial = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(4)}.part")  # also where the name is the longest
    try:
        with open(
            os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), permissions), "wb"
        ) as stream:
            yield stream
        os.replace(partial, os.path.join(folder, name))
    except BaseException:
        with suppress(OSError, ValueError):
            os.unlink(partial)
        raise


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a device")

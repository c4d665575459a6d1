"""Names for the kinds of arrays (shapes stand beside each use), and arrays that were kept in a file."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Container
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from models.files import open_regular

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Labels = npt.NDArray[np.int64]


class _All(Container[str]):
    def __contains__(self, name: object) -> bool:
        return True


#: What a damaged ``.npz`` raises; TypeError for a single array.
_DAMAGED = (OSError, ValueError, EOFError, TypeError, KeyError, MemoryError, NotImplementedError, zipfile.BadZipFile)


def read_arrays(path: Path, *names: str, most: int | None = None) -> dict[str, npt.NDArray[Any]] | None:
    """These arrays of an ``.npz``; None where it is absent, damaged or holds something else, see ``load_arrays``."""
    try:
        found = load_arrays(path, most=most, only=names)
        return {name: found[name] for name in names}
    except _DAMAGED:
        return None


def load_arrays(path: Path, *, most: int | None = None, only: Container[str] = _All()) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an ``.npz`` by name. Nothing is unpickled, and nothing allocated that the file does not hold.

    Args:
        path: the file.
        most: bytes that the arrays may take together, unpacked; a few packed bytes can hold gigabytes.
        only: read these only.

    Raises:
        BadInput: it is a pipe, a device or a folder.
        ValueError: it is no such file, damaged, holds objects, or more than ``most``.
        OSError: it cannot be read.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            wanted = [info for info in archive.infolist() if info.filename.removesuffix(".npy") in only]
            if most is not None and sum(info.file_size for info in wanted) > most:
                raise ValueError(f"its arrays take more than {most >> 20} MiB")
            for info in wanted:
                with archive.open(info) as stream:
                    _check_claim(stream, info.file_size)
                with archive.open(info) as stream:
                    found[info.filename.removesuffix(".npy")] = np.lib.format.read_array(stream, allow_pickle=False)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise ValueError(str(error) or "it ends too early") from error
    return found


def _check_claim(stream: IO[bytes], size: int) -> None:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"an array of the unknown version {version}")
    shape, _, dtype = readers[version](stream)
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"an array claims the shape {shape}, more than the file holds")

"""Names for the kinds of arrays (shapes stand beside each use), and arrays that were kept in a file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Labels = npt.NDArray[np.int64]


def read_arrays(path: Path, *names: str) -> dict[str, npt.NDArray[Any]] | None:
    """These arrays of an ``.npz``; None where it is absent, damaged or holds something else. Nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, EOFError, TypeError, KeyError, zipfile.BadZipFile):  # TypeError: a single array
        return None

"""Names what a checkpoint was made of, by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt


def digest_of(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """The same for the same arrays of the same shapes in the same order, and for no others of these types."""
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()

"""Embeddings of many crops, made once and kept: whoever measures a bundle twice does not wait twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.arrays import Bytes, Floats, read_arrays
from models.digest import digest_of
from models.errors import BadInput
from models.files import whole_file
from models.recogniser import Recogniser
from tools.common.bars import Tick
from tools.faces.people import at_size

_AT_ONCE = 16  # crops embedded between two steps of the progress bar
_KEPT = 25  # of these steps lie between two of what is kept


def embeddings_of(
    recogniser: Recogniser, crops: Bytes, what: str, *, work: Path | None = None, tick: Tick = lambda *_: None
) -> Floats:
    """Crops (N, T, T, 3) uint8 RGB of any side T -> (N, 1 + V, D) unit: whole, and with each zone of the bundle hidden.

    Args:
        what: for the progress bar and the file's name.
        work: folder where they are kept, part by part, so that an interrupted run goes on; None: nowhere.

    Raises:
        BadInput: the bundle embeds no faces, or ``work`` cannot be written.
    """
    crops = at_size(crops, recogniser.input_size)
    part = _AT_ONCE * _KEPT
    found = []
    for first in range(0, len(crops) or 1, part):
        some = crops[first : first + part]
        file = None if work is None else work / f"{what}-{_key(recogniser, some)}.npz"
        kept = None if file is None else read_arrays(file, "embeddings")
        if kept is not None:
            found.append(kept["embeddings"].astype(np.float32))
        else:
            found.append(_embedded(recogniser, some, lambda done: tick(what, done, len(crops)), first))
            if file is not None:
                _keep(file, found[-1])
        tick(what, min(first + part, len(crops)), len(crops))
    return np.concatenate(found)


def _embedded(recogniser: Recogniser, crops: Bytes, tick: Callable[[int], None], before: int) -> Floats:
    parts = []
    for first in range(0, len(crops) or 1, _AT_ONCE):
        parts.append(recogniser.embed(crops[first : first + _AT_ONCE]))
        tick(before + min(first + _AT_ONCE, len(crops)))
    return np.concatenate(parts)


def _key(recogniser: Recogniser, crops: Bytes) -> str:
    bundle = recogniser.bundle
    made_with = f"{bundle.checksum} {bundle.cover} {recogniser.engine}"
    return digest_of([crops, np.frombuffer(made_with.encode(), np.uint8)])[:16]


def _keep(file: Path, embeddings: Floats) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as stream:
            np.savez(stream, embeddings=embeddings)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written ({error.strerror}); give another --work") from error

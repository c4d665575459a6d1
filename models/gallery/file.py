"""The file that a gallery is kept in: a few arrays (``.npz``) and a digest of them. Nothing in it is unpickled."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.arrays import Bytes
from models.digest import digest_of
from models.errors import BadInput
from models.files import read_regular
from models.gallery.gallery import Gallery, Person, unit
from models.gallery.names import checked_name

_FORMAT = 1
_MAX_FILE = 256 << 20
_MAX_UNPACKED = 512 << 20
_MOST_PEOPLE = 100_000
_ARRAYS = ("means", "counts", "vectors", "pictures", "text", "digest")


class _Who(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    digests: tuple[str, ...]
    added: str = Field(max_length=40)
    consent: str | None = Field(max_length=1000)


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    format: int = Field(ge=_FORMAT, le=_FORMAT)
    trunk: str
    cover: str
    views: tuple[str, ...]
    people: tuple[_Who, ...] = Field(max_length=_MOST_PEOPLE)


def encode(gallery: Gallery) -> bytes:
    """The file's content: means in 16 bits (the unit length is made again when read), vectors in 8."""
    people = gallery.people
    size = people[0].means.shape[1] if people else 0
    text = _Text(
        format=_FORMAT,
        trunk=gallery.trunk,
        cover=gallery.cover,
        views=gallery.views,
        people=tuple(_Who(name=p.name, digests=p.digests, added=p.added, consent=p.consent) for p in people),
    )
    means = np.stack([p.means for p in people]) if people else np.zeros((0, 1 + len(gallery.views), size))
    arrays: dict[str, npt.NDArray[Any]] = {
        "means": means.astype(np.float16),
        "counts": np.array([p.counts for p in people], np.int64),
        "vectors": np.concatenate([np.zeros((0, size), np.int8), *[p.vectors for p in people]]),
        "pictures": np.array([len(p.vectors) for p in people], np.int64),
        "text": np.frombuffer(text.model_dump_json().encode(), np.uint8),
    }
    arrays["digest"] = _digest(arrays)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # its stubs take the names for options
    return stream.getvalue()


def decode(content: bytes, where: Path) -> Gallery:
    """What ``encode`` gave.

    Raises:
        BadInput: it is no gallery, damaged, or larger than one can be; names ``where``.
    """
    arrays = _arrays(content, where)
    try:
        text = _Text.model_validate_json(arrays["text"].tobytes())
        return _gallery(text, arrays)
    except (ValidationError, ValueError, IndexError, BadInput) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"{where}: is no gallery that can be used ({said}); take an earlier state") from error


def read_file(path: Path) -> bytes:
    """The content of an ordinary file of bounded size.

    Raises:
        BadInput: it is missing, something else than a file, too large, or unreadable.
    """
    return read_regular(path, _MAX_FILE)


def _arrays(content: bytes, where: Path) -> dict[str, npt.NDArray[Any]]:
    damaged = BadInput(f"{where}: was changed or damaged, or is no gallery; take an earlier state")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
                raise BadInput(f"{where}: unpacks to more than {_MAX_UNPACKED >> 20} MiB; it is no gallery")
            names = archive.namelist()
            if sorted(names) != sorted(f"{name}.npy" for name in _ARRAYS):
                raise damaged
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in _ARRAYS}
        whole = np.array_equal(_digest(arrays), arrays["digest"])
    except (OSError, ValueError, EOFError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged from error
    except (NotImplementedError, RuntimeError, MemoryError) as error:  # an unknown packing, a password
        raise damaged from error
    if not whole:
        raise damaged
    return arrays


def _gallery(text: _Text, arrays: dict[str, npt.NDArray[Any]]) -> Gallery:
    means, counts, vectors, pictures = (arrays[name] for name in ("means", "counts", "vectors", "pictures"))
    kinds = [str(array.dtype) for array in (means, counts, vectors, pictures)]
    if kinds != ["float16", "int64", "int8", "int64"] or means.ndim != 3 or vectors.ndim != 2:
        raise ValueError("arrays of other kinds")
    if not len(means) == len(counts) == len(pictures) == len(text.people) or pictures.sum() != len(vectors):
        raise ValueError("arrays of other lengths")
    if (pictures < 0).any() or not np.isfinite(means).all() or not np.linalg.norm(means, axis=2).all():
        raise ValueError("a mean that is none")
    exact = unit(means)
    ends = np.cumsum(pictures)
    people = tuple(
        Person(
            checked_name(who.name), exact[i], int(counts[i]), vectors[ends[i] - pictures[i] : ends[i]], who.digests,
            who.added, who.consent,
        )
        for i, who in enumerate(text.people)
    )  # fmt: skip
    return Gallery(people, text.trunk, text.cover, text.views)


def _digest(arrays: dict[str, npt.NDArray[Any]]) -> Bytes:
    named = digest_of(arrays[name] for name in _ARRAYS if name != "digest")
    return np.frombuffer(json.dumps(named).encode(), np.uint8)

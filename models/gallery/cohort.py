"""The cohort: other people's embeddings, as a trunk brings them. Their pictures are not kept."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.gallery.gallery import as_bytes, unit

LARGEST = 8 << 20  # bytes of vectors that are read


def encode_cohort(embeddings: Floats) -> bytes:
    """(1 + V, C, D) of unit length -> the file: 8 bits a number."""
    views, count, width = embeddings.shape
    vectors = as_bytes(embeddings.reshape(-1, width)).reshape(views, count, width)
    content = io.BytesIO()
    np.savez_compressed(content, vectors=vectors)
    return content.getvalue()


def decode_cohort(content: bytes) -> Floats:
    """The file -> (1 + V, C, D) of unit length.

    Raises:
        ValueError: it holds something else, or more than ``LARGEST``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise ValueError(f"holds more than {LARGEST >> 20} MiB")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            vectors: npt.NDArray[np.int8] = arrays["vectors"]
    except (OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError("is no file of a cohort") from error
    if vectors.dtype != np.int8 or vectors.ndim != 3:
        raise ValueError("holds no vectors of a cohort")
    return unit(vectors)

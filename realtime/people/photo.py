"""Reads a picture file that anybody may have sent: ordinary files only, of bounded size, turned upright."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageOps

from models.arrays import Bytes
from models.errors import BadInput
from models.files import read_regular

MAX_BYTES: Final = 100 << 20
MAX_PIXELS: Final = 100_000_000
#: How names of pictures end.
SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".jp2"}
    | {".heic", ".heif", ".avif"}
)
_BY_OPENCV: Final = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM")
_BY_PILLOW: Final = ("GIF", "JPEG2000", "HEIF", "AVIF")
_KINDS: Final = "give a JPEG, PNG, WebP, HEIC, AVIF, JPEG 2000, GIF, TIFF or BMP file"


def read_photo(path: Path) -> Bytes:
    """A picture file as (H, W, 3) uint8 BGR, turned upright as its camera says; the first picture of several.

    Raises:
        BadInput: it is missing, no picture, too large, or cut short.
    """
    return decode_photo(read_regular(path, MAX_BYTES), str(path))


def decode_photo(content: bytes, name: str) -> Bytes:
    """The same of a file's content; ``name`` is what messages call it.

    Raises:
        BadInput: it is no picture, too large, or cut short.
    """
    _know_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=(*_BY_OPENCV, *_BY_PILLOW)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise _too_many_pixels(name)
                found = _by_opencv(content) if picture.format in _BY_OPENCV else _by_pillow(picture)
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(name) from None
    except Exception as error:  # readers let many kinds through for damaged files
        raise BadInput(f"{name} is not a picture that can be read; {_KINDS}") from error
    if found is None or found.size == 0 or found.shape[0] * found.shape[1] > MAX_PIXELS:
        raise BadInput(f"{name} is not a picture that can be read; {_KINDS}")
    return found


def _by_opencv(content: bytes) -> Bytes | None:
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if picture is None else picture.astype(np.uint8)


def _by_pillow(picture: Image.Image) -> Bytes:
    upright: Any = ImageOps.exif_transpose(picture)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"), np.uint8)[..., ::-1])


@cache
def _know_heif() -> None:
    """Pillow reads AVIF by itself and HEIC by a plugin."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _too_many_pixels(name: str) -> BadInput:
    return BadInput(f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels; give a smaller picture")

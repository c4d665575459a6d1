"""Reads a picture file that anybody may have sent: ordinary files only, of bounded size, turned upright."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from models.arrays import Bytes
from models.errors import BadInput
from models.files import read_regular
from realtime.people.cut_short import is_cut_short

MAX_BYTES: Final = 100 << 20
MAX_PIXELS: Final = 100_000_000
#: How names of pictures end.
SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".jp2"}
    | {".heic", ".heif", ".avif"}
)
_BY_OPENCV: Final = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM")
_BY_PILLOW: Final = ("GIF", "JPEG2000", "HEIF", "AVIF")
_TIFF: Final = (b"II*\0", b"MM\0*")
_WIDTH, _HEIGHT, _SAMPLE_FORMAT, _FLOATS = 256, 257, 339, 3  # tags of TIFF 6.0
_BEHIND: Final = (128, 128, 128)  # behind what is transparent
_KINDS: Final = "give a JPEG, PNG, WebP, HEIC, AVIF, JPEG 2000, GIF, TIFF or BMP file"


def read_photo(path: Path) -> Bytes:
    """A picture file as (H, W, 3) uint8 BGR, turned upright as its camera says; the first picture of several.

    Raises:
        BadInput: it is missing, no picture, too large, or cut short.
    """
    return decode_photo(read_regular(path, MAX_BYTES), str(path))


def decode_photo(content: bytes, name: str) -> Bytes:
    """The same of a file's content; ``name`` is what messages call it.

    What is transparent shows a neutral grey, not what happens to lie beneath. Deep pictures (10, 12 or 14 bits in
    16, or numbers from 0 to 1) are brought to 8 bits by the bits that they use.

    Raises:
        BadInput: it is no picture, too large, cut short, or wholly transparent.
    """
    if not content:
        raise BadInput(f"{name} is empty (0 bytes); copy it again")
    if is_cut_short(content):
        raise BadInput(f"{name} is cut short (truncated): its end is missing; copy it again")
    _know_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=(*_BY_OPENCV, *_BY_PILLOW)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise _too_many_pixels(name)
                found = _by_opencv(content) if _is_for_opencv(picture) else _by_pillow(picture, name)
    except BadInput:
        raise
    except UnidentifiedImageError:
        if not content.startswith(_TIFF):
            raise BadInput(f"{name} is not a picture that can be read; {_KINDS}") from None
        found = _float_tiff(content, name)
    except Image.DecompressionBombError:
        raise _too_many_pixels(name) from None
    except Exception as error:  # readers let many kinds through for damaged files
        raise BadInput(f"{name} is not a picture that can be read; {_KINDS}") from error
    if found is None or found.size == 0 or found.shape[0] * found.shape[1] > MAX_PIXELS:
        if content.startswith(_TIFF):
            raise _odd_tiff(name)
        raise BadInput(f"{name} is not a picture that can be read; {_KINDS}")
    return found


def _is_for_opencv(picture: Image.Image) -> bool:
    return (
        picture.format in _BY_OPENCV
        and picture.mode != "F"
        and "A" not in picture.getbands()
        and "transparency" not in picture.info
    )


def _by_opencv(content: bytes) -> Bytes | None:
    picture: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return None if picture is None else _in_eight_bits(picture)


def _float_tiff(content: bytes, name: str) -> Bytes | None:
    """Colours or greys as numbers of 32 or 64 bits, which Pillow does not know; other odd TIFFs are refused by name."""
    try:
        stream = io.BytesIO(content)
        directory = ImageFileDirectory_v2(stream.read(8))
        stream.seek(directory.next)
        directory.load(stream)
        width, height, kinds = directory[_WIDTH], directory[_HEIGHT], directory.get(_SAMPLE_FORMAT, (1,))
    except Exception:  # Pillow lets many kinds through for damaged files
        raise _odd_tiff(name) from None
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name)
    if set(kinds) != {_FLOATS} or len(kinds) not in (1, 3):
        raise _odd_tiff(name)
    picture: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        return None
    return _in_eight_bits(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1))


def _in_eight_bits(picture: npt.NDArray[Any]) -> Bytes:
    if picture.dtype == np.uint16:
        used = next((bits for bits in (8, 10, 12, 14) if picture.max() < 1 << bits), 16)
        return np.asarray(picture >> (used - 8), np.uint8)
    if picture.dtype != np.uint8:
        picture = np.nan_to_num(picture.astype(np.float32), posinf=0.0, neginf=0.0)
        picture = (picture * (255 if picture.max() <= 1 else 1)).round().clip(0, 255)
    return np.asarray(picture, np.uint8)


def _by_pillow(picture: Image.Image, name: str) -> Bytes:
    upright: Any = ImageOps.exif_transpose(picture)
    if upright.mode == "F":  # numbers of 32 bits, which OpenCV refuses to colour
        return np.repeat(_in_eight_bits(np.asarray(upright))[..., None], 3, axis=-1)
    if "A" in upright.getbands() or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        if upright.getextrema()[3][1] == 0:
            raise BadInput(f"{name} is wholly transparent: it shows nothing; save it without transparency")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, _BEHIND), upright)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"), np.uint8)[..., ::-1])


@cache
def _know_heif() -> None:
    """Pillow reads AVIF by itself and HEIC by a plugin."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _too_many_pixels(name: str) -> BadInput:
    return BadInput(f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels; give a smaller picture")


def _odd_tiff(name: str) -> BadInput:
    return BadInput(f"{name} is a TIFF of a kind that is not read; save it as a TIFF or PNG of 8 or 16 bits")

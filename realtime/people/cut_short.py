"""Whether a picture file ends before its picture does; decoders fill the rest with grey and say nothing."""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image


def is_cut_short(content: bytes) -> bool:
    """Whether the end of a JPEG, PNG, WebP, HEIC, AVIF or JPEG 2000 file is missing; False for any other content."""
    if content.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in content or _jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return int.from_bytes(content[4:8], "little") + 8 > len(content)
    if content[4:8] in (b"ftyp", b"jP  "):
        return _boxes(content)
    return False


def _jpeg(content: bytes) -> bool:
    """Decoded at an eighth of its size, which reads all of it and costs little."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=("JPEG",)) as picture:
                picture.draft("L", (max(1, picture.width // 8), max(1, picture.height // 8)))
                picture.load()
    except OSError as error:
        return "truncated" in str(error)
    except Exception:  # damaged otherwise, or too large: told by who reads it
        return False
    return False


def _png(content: bytes) -> bool:
    place = 8
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        if kind == b"IEND":
            return False
        place += 12 + length
    return True


def _boxes(content: bytes) -> bool:
    """ISO base media boxes: their length stands before each, 1 for one of 64 bits, 0 for the rest of the file."""
    place = 0
    while place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        if length == 1:
            length = int.from_bytes(content[place + 8 : place + 16], "big")
        elif length == 0:
            return False
        if length < 8:
            return False  # damaged otherwise
        place += length
    return place > len(content)

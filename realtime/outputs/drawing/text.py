"""Text for pictures: any script, anti-aliased, cached.

OpenCV 5 carries its own Unicode fonts (a Latin, Greek and Cyrillic sans with weights, and a large one for the
rest). OpenCV 4's ``putText`` knows ASCII only and turns "Renée" into "Ren??e"; there Pillow draws with DejaVu
Sans, which comes with matplotlib.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.arrays import Bytes

Colour = tuple[int, int, int]  # BGR

REGULAR, BOLD = 400, 700
ELLIPSIS = "…"
_font_lock = threading.Lock()  # cv2.FontFace keeps its current size and weight inside


def printable(text: str) -> str:
    """The text without control characters, line breaks and broken Unicode: labels may come from file names."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def line_height(size: int) -> int:
    """Pixels from one line to the next, and the height of what ``rendered`` gives."""
    return round(size * 1.4)


@lru_cache(maxsize=1024)
def rendered(text: str, size: int, weight: int = REGULAR) -> Bytes:
    """The opacity (line_height(size), W) of the text; it is shared and must not be written to."""
    text = printable(text)  # a lone surrogate would end the process inside OpenCV 5
    return _with_opencv(text, size, weight) if hasattr(cv2, "FontFace") else _with_pillow(text, size, weight)


def width(text: str, size: int, weight: int = REGULAR) -> int:
    """Pixels that the text takes in width."""
    return int(rendered(text, size, weight).shape[1])


@lru_cache(maxsize=512)
def fitted(text: str, size: int, weight: int, room: int) -> str:
    """The text, shortened with an ellipsis until it is at most ``room`` pixels wide ("" if nothing fits)."""
    if width(text, size, weight) <= room:
        return text
    shorter, longer = 0, len(text)  # `shorter` characters fit, `longer` do not
    while longer - shorter > 1:
        middle = (shorter + longer) // 2
        if width(text[:middle].rstrip() + ELLIPSIS, size, weight) <= room:
            shorter = middle
        else:
            longer = middle
    return text[:shorter].rstrip() + ELLIPSIS if shorter else ""


def put(picture: Bytes, text: str, corner: tuple[int, int], size: int, colour: Colour, weight: int = REGULAR) -> int:
    """Draw text with its upper left corner at ``corner`` (x, y), clipped at the picture's edges; give its width."""
    opacity = rendered(text, size, weight)
    x, y = corner
    top, left = max(0, -y), max(0, -x)
    part = opacity[top : picture.shape[0] - y, left : picture.shape[1] - x] if y < picture.shape[0] else opacity[:0]
    if part.size and x < picture.shape[1]:
        under = picture[y + top : y + top + part.shape[0], x + left : x + left + part.shape[1]]
        alpha = part[..., None].astype(np.uint16)
        ink = np.array(colour, np.uint16)
        under[:] = (under * (255 - alpha) + ink * alpha + 127) // 255
    return int(opacity.shape[1])


@lru_cache(maxsize=1)
def _opencv_font() -> Any:
    return cv2.FontFace("sans")


def _with_opencv(text: str, size: int, weight: int) -> Bytes:
    font = _opencv_font()
    with _font_lock:
        (left, _, extent, _) = cv2.getTextSize((1, 1), text, (0, 0), font, size, weight)
        canvas = np.zeros((line_height(size), max(1, left + extent + 1), 3), np.uint8)
        cv2.putText(canvas, text, (0, _baseline(size)), (255, 255, 255), font, size, weight)
    return np.ascontiguousarray(canvas[..., 0])


def _with_pillow(text: str, size: int, weight: int) -> Bytes:
    from PIL import Image, ImageDraw

    font = _pillow_font(size, weight)
    canvas = Image.new("L", (max(1, round(font.getlength(text)) + 1), line_height(size)))
    ImageDraw.Draw(canvas).text((0, _baseline(size)), text, fill=255, font=font, anchor="ls")
    return np.asarray(canvas)


@lru_cache(maxsize=32)
def _pillow_font(size: int, weight: int) -> Any:
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if weight >= 600 else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, round(size * 0.92))


def _baseline(size: int) -> int:
    return round(size * 1.05)

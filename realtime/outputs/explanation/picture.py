"""An explanation as one picture: the words, and beneath them every look that the decision came from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.arrays import Bytes, Floats
from realtime.outputs.drawing.layout import Rect
from realtime.outputs.drawing.style import INK, PALE, STYLES, TRACK, WHITE, draw_sign, fill
from realtime.outputs.drawing.text import BOLD, REGULAR, Colour, fitted, line_height, put, width
from realtime.outputs.explanation.words import Explanation, View, percent

SIDE = 168  # of each look, pixels
_GAP, _MARGIN, _TEXT = 16, 20, 13
_MOST_A_ROW = 4


@dataclass(frozen=True)
class Cell:
    """One look with its caption; ``view`` says what it gave, None for a picture alone."""

    title: str
    picture: Bytes  # (SIDE, SIDE, 3) BGR
    view: View | None = None


def cells_of(explanation: Explanation) -> list[Cell]:
    """Every look: the views, then saliency, mask and the face after it, where these were looked at."""
    if not explanation.views:
        return [Cell("the face", _enlarged(explanation.crop))]
    cells = [Cell(view.title, _enlarged(view.crop), view) for view in explanation.views]
    if explanation.saliency is not None and explanation.mask is not None and explanation.masked is not None:
        cells.append(Cell("what the name hangs on", heat_map(explanation.crop, explanation.saliency)))
        cells.append(Cell("the mask made of it", _enlarged(np.repeat(_grey(explanation.mask)[..., None], 3, axis=2))))
        cells.append(Cell("after the mask", _enlarged(explanation.masked.crop), explanation.masked))
    return cells


def picture_of(explanation: Explanation) -> Bytes:
    """The whole as one picture (H, W, 3) BGR."""
    cells = cells_of(explanation)
    across = min(_MOST_A_ROW, max(3, len(cells)))
    wide = 2 * _MARGIN + across * SIDE + (across - 1) * _GAP
    lines = [line for sentence in explanation.sentences for line in wrapped(sentence, 14, wide - 2 * _MARGIN)]
    head = _MARGIN + line_height(20) + 8 + len(lines) * line_height(14) + 12
    below = 3 * line_height(_TEXT) + 6
    rows = -(-len(cells) // across)
    canvas = np.empty((head + rows * (line_height(_TEXT) + SIDE + below + _GAP) + _MARGIN, wide, 3), np.uint8)
    canvas[:] = INK
    style = STYLES[explanation.state]
    fill(canvas, Rect(0, 0, 6, canvas.shape[0]), style.colour)
    draw_sign(canvas, Rect(_MARGIN, _MARGIN + 4, _MARGIN + 20, _MARGIN + 24), style)
    heading = fitted(explanation.heading, 20, BOLD, wide - 2 * _MARGIN - 28)
    put(canvas, heading, (_MARGIN + 28, _MARGIN), 20, style.colour, BOLD)
    y = _MARGIN + line_height(20) + 8
    for line in lines:
        put(canvas, line, (_MARGIN, y), 14, WHITE)
        y += line_height(14)
    for number, cell in enumerate(cells):
        column, row = number % across, number // across
        x = _MARGIN + column * (SIDE + _GAP)
        _draw(canvas, cell, x, head + row * (line_height(_TEXT) + SIDE + below + _GAP), explanation.about, style.colour)
    return canvas


def png_of(explanation: Explanation) -> bytes:
    """The same as a PNG file's content."""
    _, encoded = cv2.imencode(".png", picture_of(explanation))
    return encoded.tobytes()


def _draw(canvas: Bytes, cell: Cell, x: int, y: int, about: str, colour: Colour) -> None:
    put(canvas, fitted(cell.title, _TEXT, REGULAR, SIDE), (x, y), _TEXT, PALE)
    y += line_height(_TEXT)
    canvas[y : y + SIDE, x : x + SIDE] = cell.picture
    view = cell.view
    if view is None:
        return
    if view.against:
        cv2.rectangle(canvas, (x, y), (x + SIDE - 1, y + SIDE - 1), colour, 3)
    y += SIDE + 3
    put(canvas, fitted(view.words, _TEXT, REGULAR, SIDE), (x, y), _TEXT, WHITE)
    if not view.looked or not about:
        return
    y += line_height(_TEXT)
    figure = percent(view.given)
    put(canvas, fitted(f"{about}: {figure}", _TEXT, REGULAR, SIDE), (x, y), _TEXT, WHITE)
    y += line_height(_TEXT)
    bar = Rect(x, y + 2, x + SIDE, y + 10)
    fill(canvas, bar, TRACK)
    fill(canvas, bar._replace(x2=x + round(SIDE * view.given)), colour)
    if view.needed is not None:  # what it has to give at least
        tick = x + min(SIDE - 2, round(SIDE * view.needed))
        fill(canvas, Rect(tick, y - 1, tick + 2, y + 13), WHITE)


def heat_map(crop: Bytes, saliency: Floats) -> Bytes:
    """The saliency (S, S) in false colour over the darkened crop: (SIDE, SIDE, 3) BGR."""
    face = cv2.cvtColor(_enlarged(crop), cv2.COLOR_BGR2GRAY)
    heat = cv2.resize(np.clip(saliency, 0, 1).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    coloured = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.addWeighted(cv2.cvtColor(face, cv2.COLOR_GRAY2BGR), 0.3, coloured, 1.0, 0), np.uint8)


def wrapped(text: str, size: int, room: int) -> list[str]:
    """The text in lines of at most ``room`` pixels; a word that is longer is shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(fitted(word, size, REGULAR, room))
    return lines


def _grey(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Bytes:
    return np.where(mask, 255, 0).astype(np.uint8)


def _enlarged(rgb: Bytes) -> Bytes:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    return np.asarray(cv2.resize(bgr, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)

"""How a state looks: a colour of Okabe and Ito's colour-blind-safe palette, a kind of line, a sign and a word.

Nothing is told by colour alone: known is a solid box, unknown a dashed one, a suspected attack a thin box with
heavy corners, and what is not current a dotted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import supervision as sv

from models.arrays import Bytes
from models.policy import State
from realtime.outputs.drawing.layout import Rect
from realtime.outputs.drawing.text import BOLD, Colour, line_height, put, width

Line = Literal["solid", "dashed", "dotted", "corners"]

WHITE: Colour = (255, 255, 255)
PALE: Colour = (196, 190, 184)
INK: Colour = (26, 21, 18)  # the panels' ground
TRACK: Colour = (78, 70, 64)  # the empty part of a bar


@dataclass(frozen=True)
class Style:
    """The look of one state. ``colour`` is BGR."""

    word: str
    colour: Colour
    line: Line


STYLES: dict[State, Style] = {
    "known": Style("KNOWN", (140, 190, 22), "solid"),  # bluish green #009E73, lightened for video
    "unknown": Style("UNKNOWN", (233, 180, 86), "dashed"),  # sky blue #56B4E9
    "suspected_attack": Style("SUSPECTED ATTACK", (40, 120, 255), "corners"),  # vermillion #D55E00, lightened
}
NOT_CURRENT = Style("NO CURRENT VERDICT", (170, 165, 160), "dotted")
UNDECIDED = Style("UNDECIDED", (170, 165, 160), "dotted")


def draw_box(picture: Bytes, box: Rect, style: Style, scale: float) -> None:
    """Draw the face's box in the state's colour and kind of line, in place."""
    if box.width < 2 or box.height < 2:
        return
    thick = max(1, round(2 * scale))
    x1, y1, x2, y2 = box.x1, box.y1, box.x2 - 1, box.y2 - 1
    if style.line in ("dashed", "dotted"):
        dash, gap = (9, 6) if style.line == "dashed" else (2, 6)
        _dashed(picture, Rect(x1, y1, x2, y2), style.colour, thick, max(1, round(dash * scale)), round(gap * scale) + 1)
        return
    face = sv.Detections(xyxy=np.array([[x1, y1, x2, y2]], np.float32), class_id=np.zeros(1, int))
    blue, green, red = style.colour
    colour = sv.Color(r=red, g=green, b=blue)
    if style.line == "solid":
        sv.BoxAnnotator(color=colour, thickness=thick).annotate(picture, face)
        return
    sv.BoxAnnotator(color=colour, thickness=max(1, thick // 2)).annotate(picture, face)
    length = max(4, min(round(26 * scale), box.width // 3, box.height // 3))
    sv.BoxCornerAnnotator(color=colour, thickness=thick * 2 + 1, corner_length=length).annotate(picture, face)


def _dashed(picture: Bytes, box: Rect, colour: Colour, thick: int, dash: int, gap: int) -> None:
    for x in range(box.x1, box.x2, dash + gap):
        for y in (box.y1, box.y2):
            cv2.line(picture, (x, y), (min(x + dash, box.x2), y), colour, thick)
    for y in range(box.y1, box.y2, dash + gap):
        for x in (box.x1, box.x2):
            cv2.line(picture, (x, y), (x, min(y + dash, box.y2)), colour, thick)


def shade(picture: Bytes, area: Rect, colour: Colour = INK, opacity: float = 0.88) -> None:
    """Lay a translucent ground under text, in place."""
    under = picture[max(0, area.y1) : max(0, area.y2), max(0, area.x1) : max(0, area.x2)]
    if under.size:
        ground = np.empty_like(under)
        ground[:] = colour
        cv2.addWeighted(ground, opacity, under, 1 - opacity, 0, dst=under)


def fill(picture: Bytes, area: Rect, colour: Colour) -> None:
    """Fill an area, in place, clipped to the picture."""
    picture[max(0, area.y1) : max(0, area.y2), max(0, area.x1) : max(0, area.x2)] = colour


def draw_sign(picture: Bytes, area: Rect, style: Style) -> None:
    """The state's sign, in place: a tick, a question mark, a warning triangle, or three dots."""
    x, y, side = area.x1, area.y1, area.height
    fine = 4  # cv2 takes these coordinates in sixteenths of a pixel

    def at(across: float, down: float) -> tuple[int, int]:
        return round((x + across * side) * 2**fine), round((y + down * side) * 2**fine)

    thick = max(1, round(side / 6))
    if style.line == "corners":
        triangle = np.array([at(0.5, 0.02), at(1.0, 0.96), at(0.0, 0.96)], np.int32)
        cv2.fillConvexPoly(picture, triangle, style.colour, cv2.LINE_AA, fine)
        cv2.line(picture, at(0.5, 0.36), at(0.5, 0.62), INK, thick, cv2.LINE_AA, fine)
        cv2.line(picture, at(0.5, 0.8), at(0.5, 0.82), INK, thick, cv2.LINE_AA, fine)
        return
    radius = round(side / 2 * 2**fine)
    if style.line == "solid":
        cv2.circle(picture, at(0.5, 0.5), radius, style.colour, -1, cv2.LINE_AA, fine)
        tick = np.array([at(0.27, 0.52), at(0.44, 0.7), at(0.74, 0.32)], np.int32)
        cv2.polylines(picture, [tick], False, INK, thick, cv2.LINE_AA, fine)
    elif style.line == "dashed":
        cv2.circle(picture, at(0.5, 0.5), radius, style.colour, -1, cv2.LINE_AA, fine)
        size = round(side * 0.9)
        middle = x + (side - width("?", size, BOLD)) // 2 + 1
        put(picture, "?", (middle, y + (side - line_height(size)) // 2), size, INK, BOLD)
    else:
        for fx in (0.14, 0.5, 0.86):
            cv2.circle(picture, at(fx, 0.5), round(radius * 0.24), style.colour, -1, cv2.LINE_AA, fine)

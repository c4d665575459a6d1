"""The panel beside a face: state, name, confidences and age in words; for attacks the pictures that show why."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np

from models.arrays import Bytes
from models.evidence import CropEvidence
from realtime.outputs.drawing.layout import Rect
from realtime.outputs.drawing.style import (
    INK,
    NOT_CURRENT,
    PALE,
    STYLES,
    TRACK,
    UNDECIDED,
    WHITE,
    Style,
    draw_sign,
    fill,
    shade,
)
from realtime.outputs.drawing.text import BOLD, REGULAR, Colour, fitted, line_height, put, width
from realtime.verdicts.verdict import Verdict

LABEL = 11  # size of the paler words
ATTACK_LABELS = ("claimed", "likely")


@dataclass(frozen=True)
class _Words:
    """A piece of text: the words, their size at 640 x 480, their colour and weight."""

    text: str
    size: int = 12
    colour: Colour = WHITE
    weight: int = REGULAR
    label: str = ""  # a paler word before it


class Panel:
    """What is written beside one face, measured before it is placed."""

    def __init__(self, verdict: Verdict | None, now: float, scale: float, room: int, *, small: bool = False) -> None:
        """``room``: the most pixels it may be wide. ``small``: fewer and smaller lines, for a crowd."""
        self.style = style_of(verdict, now)
        self._scale = scale * (0.85 if small else 1.0)
        self._pad = self._px(6)
        self._stripe = self._px(4)
        self._sign = self._px(13)
        self._age = f"{verdict.age(now) * 1000:.0f} ms old" if verdict is not None else ""
        self._lines = _lines(verdict, self.style)
        self._bars = _bars(verdict) if self.style in STYLES.values() else []
        self._room = max(self._px(60), room)
        self.width = min(self._room, max(self._first_width(), self._lines_width(), self._bars_width()))
        self.height = 2 * self._px(4) + self._row(12)
        self.height += sum(self._row(words.size) for words in self._lines) + (self._row(11) if self._bars else 0)

    def draw(self, picture: Bytes, area: Rect) -> None:
        """Draw into ``area`` of the picture, in place."""
        shade(picture, area)
        fill(picture, Rect(area.x1, area.y1, area.x1 + self._stripe, area.y2), self.style.colour)
        x, y = area.x1 + self._stripe + self._pad, area.y1 + self._px(4)
        inner = area.x2 - self._pad - x
        sign_top = y + (self._row(12) - self._sign) // 2
        draw_sign(picture, Rect(x, sign_top, x + self._sign, sign_top + self._sign), self.style)
        after = x + self._sign + self._px(5)
        age_width = width(self._age, self._px(10))
        age_fits = after + width(self.style.word, self._px(12), BOLD) + self._px(8) + age_width <= area.x2 - self._pad
        room = area.x2 - self._pad - after
        put(
            picture,
            fitted(self.style.word, self._px(12), BOLD, room),
            (after, y),
            self._px(12),
            self.style.colour,
            BOLD,
        )
        if self._age and age_fits:
            put(picture, self._age, (area.x2 - self._pad - age_width, y + self._px(2)), self._px(10), PALE)
        y += self._row(12)
        for words in self._lines:
            size, start = self._px(words.size), x
            if words.label:
                put(picture, words.label, (x, y + self._px(2)), self._px(LABEL), PALE)
                start += self._label_width(words)
            text = fitted(words.text, size, words.weight, max(0, x + inner - start))
            put(picture, text, (start, y), size, words.colour, words.weight)
            y += self._row(words.size)
        for name, value in self._bars:
            x = self._draw_bar(picture, name, value, x, y)

    def _draw_bar(self, picture: Bytes, name: str, value: float, x: int, y: int) -> int:
        size = self._px(11)
        x += put(picture, name, (x, y), size, PALE) + self._px(4)
        bar = Rect(x, y + self._px(5), x + self._px(34), y + self._px(11))
        fill(picture, bar, TRACK)
        fill(picture, bar._replace(x2=x + round(bar.width * value)), self.style.colour)
        x = bar.x2 + self._px(4)
        return x + max(put(picture, _percent(value), (x, y), size, WHITE), width("100 %", size)) + self._px(9)

    def _first_width(self) -> int:
        words = width(self.style.word, self._px(12), BOLD)
        age = self._px(10) + width("8888 ms old", self._px(10)) if self._age else 0
        return self._frame() + self._sign + self._px(5) + words + age

    def _lines_width(self) -> int:
        lines = (self._label_width(w) + width(w.text, self._px(w.size), w.weight) for w in self._lines)
        return self._frame() + max(lines, default=0)

    def _label_width(self, words: _Words) -> int:
        return max(width(word, self._px(LABEL)) for word in ATTACK_LABELS) + self._px(6) if words.label else 0

    def _bars_width(self) -> int:
        names = sum(width(name, self._px(11)) for name, _ in self._bars)
        each = self._px(34) + 2 * self._px(4) + width("100 %", self._px(11)) + self._px(9)
        return self._frame() + names + len(self._bars) * each - (self._px(9) if self._bars else 0)

    def _frame(self) -> int:
        return self._stripe + 2 * self._pad

    def _row(self, size: int) -> int:
        return line_height(self._px(size))

    def _px(self, value: int) -> int:
        return max(1, round(value * self._scale))


def style_of(verdict: Verdict | None, now: float) -> Style:
    """The look of a verdict at ``now``: that of its state only while it is current."""
    if verdict is None:
        return UNDECIDED
    return NOT_CURRENT if verdict.is_stale(now) else STYLES[verdict.state]


def _lines(verdict: Verdict | None, style: Style) -> list[_Words]:
    if verdict is None:
        return [_Words("not decided yet", colour=PALE)]
    if style is NOT_CURRENT:
        name = verdict.identity or verdict.claimed
        return [_Words(f"last: {STYLES[verdict.state].word.lower()}" + (f" {name}" if name else ""), colour=PALE)]
    if verdict.state == "known":
        return [_Words(verdict.identity or "", 15, weight=BOLD)]
    if verdict.state == "unknown":
        return [_Words(verdict.reason, 12)]
    likely = _Words(verdict.likely or "nobody it knows", 14, weight=BOLD, label=ATTACK_LABELS[1])
    if verdict.dissent and verdict.likely == verdict.claimed:
        likely = _Words(f"but not without the {verdict.dissent.replace('_', ' ')}")
    return [_Words(verdict.claimed or "", 14, weight=BOLD, label=ATTACK_LABELS[0]), likely]


def _bars(verdict: Verdict | None) -> list[tuple[str, float]]:
    if verdict is None or verdict.raw_probability is None or verdict.view_probability is None:
        return []
    view = "masked" if verdict.view == "saliency" else f"no {verdict.view}".replace("_", " ")
    return [("raw", verdict.raw_probability), (view, verdict.view_probability)]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


class Thumbnails:
    """The saliency heat map and the masked crop of a piece of evidence, drawn once and kept while it is shown."""

    CAPTIONS = ("saliency", "masked")
    KEPT = 16

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, int, bool], tuple[CropEvidence, Bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def block(self, evidence: CropEvidence, side: int, *, upright: bool, colour: Colour) -> Bytes:
        """Both pictures with captions, one above the other (``upright``) or side by side; not to be written to."""
        key = (id(evidence), side, upright)
        with self._lock:
            kept = self._made.get(key)
            if kept is not None and kept[0] is evidence:
                self._made.move_to_end(key)
                return kept[1]
        made = _block(evidence, side, upright=upright, colour=colour)
        with self._lock:
            self._made[key] = (evidence, made)
            while len(self._made) > self.KEPT:
                self._made.popitem(last=False)
        return made


def block_size(side: int, *, upright: bool) -> tuple[int, int]:
    """Width and height of a block of thumbnails whose pictures are ``side`` pixels wide."""
    caption, edge = line_height(_caption_size(side)), 2
    if upright:
        return side + 2 * edge, 2 * (side + caption) + 2 * edge
    return 2 * side + 3 * edge, side + caption + 2 * edge


def _block(evidence: CropEvidence, side: int, *, upright: bool, colour: Colour) -> Bytes:
    size = _caption_size(side)
    wide, high = block_size(side, upright=upright)
    block = np.empty((high, wide, 3), np.uint8)
    block[:] = INK
    cv2.rectangle(block, (0, 0), (wide - 1, high - 1), colour, 1)
    pictures = (_heat_map(evidence, side), _masked(evidence, side, colour))
    x = y = 2
    for caption, thumbnail in zip(Thumbnails.CAPTIONS, pictures, strict=True):
        put(block, caption, (x + 3, y - 1), size, WHITE)
        top = y + line_height(size)
        block[top : top + side, x : x + side] = thumbnail
        x, y = (x, top + side) if upright else (x + side + 2, y)
    return block


def _caption_size(side: int) -> int:
    return max(7, round(side * 0.14))


def _heat_map(evidence: CropEvidence, side: int) -> Bytes:
    """The saliency in false colour, over the darkened face so that one sees where it lies."""
    saliency = cv2.resize(evidence.saliency, (side, side), interpolation=cv2.INTER_AREA)
    heat = cv2.applyColorMap((np.clip(saliency, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    face = cv2.resize(
        cv2.cvtColor(evidence.masked_crop, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.addWeighted(cv2.cvtColor(face, cv2.COLOR_GRAY2BGR), 0.3, heat, 1.0, 0), np.uint8)


def _masked(evidence: CropEvidence, side: int, colour: Colour) -> Bytes:
    """The crop as it was classified again, with the mask's outline."""
    crop = cv2.cvtColor(evidence.masked_crop, cv2.COLOR_RGB2BGR)
    picture = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(evidence.mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    picture[outline > 0] = colour
    return np.asarray(picture, np.uint8)

"""Where things go in a picture without covering what matters. Pure geometry on whole pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Rect(NamedTuple):
    """Left, top, right, bottom; right and bottom are the first pixels outside."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def width(self) -> int:
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        return self.y2 - self.y1

    @property
    def area(self) -> int:
        return max(0, self.width) * max(0, self.height)

    def common(self, other: Rect) -> int:
        """Pixels that both cover."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        return max(0, width) * max(0, height)

    def moved_into(self, frame: Rect) -> Rect:
        """As near as it goes without leaving the frame; where it is too large, its upper left part is inside."""
        x1 = max(frame.x1, min(self.x1, frame.x2 - self.width))
        y1 = max(frame.y1, min(self.y1, frame.y2 - self.height))
        return Rect(x1, y1, x1 + self.width, y1 + self.height)


def clipped(box: Iterable[float], frame: Rect) -> Rect:
    """A box of a detector, rounded and cut to the frame (possibly empty, as one with a value that is no number)."""
    values = [float(value) for value in box]
    if not all(map(math.isfinite, values)):
        return Rect(frame.x1, frame.y1, frame.x1, frame.y1)
    x1, y1, x2, y2 = map(round, values)
    left, top = min(max(x1, frame.x1), frame.x2), min(max(y1, frame.y1), frame.y2)
    return Rect(left, top, max(left, min(x2, frame.x2)), max(top, min(y2, frame.y2)))


def beside(face: Rect, width: int, height: int, gap: int) -> list[Rect]:
    """Places for a block next to a face: above, below, right, left, then flush with the other edges."""
    above, below = face.y1 - gap - height, face.y2 + gap
    right, left = face.x2 + gap, face.x1 - gap - width
    middle = (face.y1 + face.y2 - height) // 2
    corners = [
        (face.x1, above),
        (face.x1, below),
        (right, face.y1),
        (left, face.y1),
        (face.x2 - width, above),
        (face.x2 - width, below),
        (right, face.y2 - height),
        (left, face.y2 - height),
        (right, middle),
        (left, middle),
    ]
    return [Rect(x, y, x + width, y + height) for x, y in corners]


def best_place(places: Sequence[Rect], frame: Rect, own: Rect, others: Sequence[Rect], taken: Sequence[Rect]) -> Rect:
    """The place that covers least, moved into the frame.

    The face that it belongs to (``own``) weighs most, then what was placed before (``taken``), then ``others``'
    faces; among equals the earlier place wins, so that a block keeps its side while it can.
    """

    def cost(place: Rect) -> float:
        covered = 4.0 * place.common(own)
        covered += 3.0 * sum(place.common(rect) for rect in taken)
        return covered + 2.0 * sum(place.common(rect) for rect in others)

    return min((place.moved_into(frame) for place in places), key=cost)

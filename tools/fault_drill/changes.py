"""Twenty clips in which somebody else takes a face's place, softly or at once: nothing may be told of the wrong one.

A person is shown for a while, long enough to be known; then the change; then what came of it. What is true turns over
in the middle of the change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import Bytes
from models.crop.wearables import innocent
from realtime.faces.wear import wear
from tools.fault_drill.scenes import FPS, TILE, Clip, Placed, Portrait, mixed, rows_from, tile_landmarks

_MIDDLE: Final = (200.0, 120.0)
_LEFT, _RIGHT = (40.0, 120.0), (360.0, 120.0)
_FOUR = ((40.0, 0.0), (360.0, 0.0), (40.0, 240.0), (360.0, 240.0))
_SEAM = 0.56  # of the crop's height: where the upper and the lower half of two faces meet
_BEFORE, _AFTER = 2.0, 2.0  # seconds
_BEFORE_FOUR = 3.6
PEOPLE = 4


@dataclass(frozen=True)
class Cast:
    """Who plays: at least four people whom the recogniser knows, and a stranger."""

    people: Sequence[Portrait]
    stranger: Portrait

    def __post_init__(self) -> None:
        if len(self.people) < PEOPLE or len({one.name for one in self.people[:PEOPLE]}) < PEOPLE:
            raise ValueError(f"the clips need {PEOPLE} different people, got {len(self.people)}")


def changes(cast: Cast) -> list[Clip]:
    """The twenty clips."""
    a, b, c, d = cast.people[:PEOPLE]
    return [
        *(hand_over(a, b, seconds) for seconds in (0.32, 0.6)),
        wipe(b, a, 0.8),
        *(morph(one, other, seconds) for one, other, seconds in ((a, c, 0.2), (b, d, 0.5), (c, a, 1.0), (d, b, 2.0))),
        morph(a, cast.stranger, 0.5, name="morph into a stranger"),
        morph(c, d, 0.0, name="cut"),
        to_and_fro(a, d),
        alternate(b, c),
        behind(d, a),
        steps_aside(b, a),
        glasses(c),
        crossing(a, b),
        swap((a, c), (_LEFT, _RIGHT)),
        one_of((morph(d, a, 0.2), b), (_LEFT, _RIGHT), "morph 0.2 s, two faces"),
        one_of((hand_over(c, b, 0.32), a), (_LEFT, _RIGHT), "hand-over 0.32 s, two faces"),
        swap((a, b, c, d), _FOUR),
        one_of((morph(a, b, 0.2, before=_BEFORE_FOUR), c, d, b), _FOUR, "morph 0.2 s, four faces"),
    ]


def morph(one: Portrait, other: Portrait, seconds: float, *, name: str = "", before: float = _BEFORE) -> Clip:
    """The whole face dissolves into another's."""
    begin, end = _frames(before), _frames(before + seconds)

    def scene(number: int) -> list[Placed]:
        share = _share(number, begin, end)
        return [_here(mixed(one.tile, other.tile, share), number, one.name if share < 0.5 else other.name)]

    return Clip(name or f"morph {seconds:g} s", end + _frames(_AFTER), scene)


def spliced(upper: Portrait, lower: Portrait) -> Portrait:
    """A face whose lower half is covered with a print of somebody else's; whose face it is the eyes say."""
    return Portrait(upper.name, mixed(upper.tile, lower.tile, rows_from(_SEAM)))


def hand_over(one: Portrait, other: Portrait, seconds: float) -> Clip:
    """The first one's picture, whose upper half dissolves into the face of somebody who holds the lower half on."""
    return morph(one, spliced(other, one), seconds, name=f"hand-over {seconds:g} s")


def wipe(one: Portrait, other: Portrait, seconds: float) -> Clip:
    """The upper half is replaced row by row, from the top; the middle is where the row passes the eyes."""
    begin, end, after = _frames(_BEFORE), _frames(_BEFORE + seconds), spliced(other, one)
    eyes = float(tile_landmarks()[0, 1]) / TILE

    def scene(number: int) -> list[Placed]:
        share = _share(number, begin, end)
        rows = np.repeat((np.arange(TILE)[:, None] < share * TILE).astype(np.float32), TILE, axis=1)
        return [_here(mixed(one.tile, after.tile, rows), number, one.name if share < eyes else other.name)]

    return Clip(f"wipe {seconds:g} s", end + _frames(_AFTER), scene)


def to_and_fro(one: Portrait, other: Portrait) -> Clip:
    """The face, and its lower half before somebody else's face, by turns: 0.3 s to it, 0.9 s, 0.3 s back, 0.3 s."""
    after, begin = spliced(other, one), _frames(_BEFORE)
    towards, stay, back, rest = (_frames(seconds) for seconds in (0.32, 0.88, 0.32, 0.28))

    def scene(number: int) -> list[Placed]:
        at = (number - begin) % (towards + stay + back + rest) if number >= begin else 0
        share = _share(at, 0, towards) - _share(at, towards + stay, towards + stay + back)
        return [_here(mixed(one.tile, after.tile, share), number, one.name if share < 0.5 else other.name)]

    return Clip("to and fro", begin + 2 * (towards + stay + back + rest), scene)


def alternate(one: Portrait, other: Portrait) -> Clip:
    """Two people's pictures, every other frame."""

    def scene(number: int) -> list[Placed]:
        shown = (one, other)[number % 2]
        return [_here(shown.tile, number, shown.name)]

    return Clip("alternate frames", _frames(_BEFORE + _AFTER), scene)


def behind(one: Portrait, other: Portrait) -> Clip:
    """A grey bar passes for half a second; who comes out behind it is somebody else."""
    begin, middle, end = (_frames(_BEFORE + more) for more in (0, 0.24, 0.48))
    bar = np.full((TILE + 80, TILE + 80, 3), 60, np.uint8)

    def scene(number: int) -> list[Placed]:
        hidden = begin <= number < end
        shown = one if number < middle else other
        face = _here(shown.tile, number, None if hidden else shown.name)
        return [face, Placed(bar, face.x - 40, face.y - 40, None)] if hidden else [face]

    return Clip("behind a bar", end + _frames(_AFTER), scene)


def steps_aside(one: Portrait, other: Portrait) -> Clip:
    """The first one's picture slides away within 0.6 s; somebody else was behind it."""
    begin, end = _frames(_BEFORE), _frames(_BEFORE + 0.6)

    def scene(number: int) -> list[Placed]:
        share = _share(number, begin, end)
        front = _here(one.tile, number, one.name if share < 0.9 else None)
        return [
            _here(other.tile, number, other.name if share > 0.5 else None),
            Placed(front.tile, front.x + 460 * share, front.y, front.name),
        ]

    return Clip("steps aside", end + _frames(_AFTER), scene)


def glasses(one: Portrait) -> Clip:
    """Innocent glasses are put on and taken off, twice; it is the same person all the time."""
    worn = wear(one.tile, tile_landmarks(), innocent("black", "classic", 224))
    begin, step = _frames(_BEFORE), _frames(0.8)

    def scene(number: int) -> list[Placed]:
        on = number >= begin and (number - begin) // step % 2 == 0
        return [_here(worn if on else one.tile, number, one.name)]

    return Clip("glasses on and off", begin + 4 * step, scene)


def crossing(one: Portrait, other: Portrait) -> Clip:
    """Two people change sides; the first one passes in front."""
    begin, end = _frames(_BEFORE), _frames(_BEFORE + 1.8)

    def scene(number: int) -> list[Placed]:
        way = (_RIGHT[0] - _LEFT[0]) * _share(number, begin, end)
        front, back = _LEFT[0] + way, _RIGHT[0] - way
        hidden = abs(front - back) < 0.5 * TILE
        return [
            Placed(other.tile, back, _LEFT[1], None if hidden else other.name),
            Placed(one.tile, front, _LEFT[1], one.name),
        ]

    return Clip("crossing", end + _frames(1.6), scene, faces=2)


def swap(people: Sequence[Portrait], places: Sequence[tuple[float, float]]) -> Clip:
    """Everybody moves to the next place, between two frames."""
    begin = _frames(_BEFORE if len(people) < PEOPLE else _BEFORE_FOUR)

    def scene(number: int) -> list[Placed]:
        order = people if number < begin else [*people[1:], people[0]]
        return [_here(one.tile, number, one.name, place) for one, place in zip(order, places, strict=True)]

    return Clip(f"swap of {len(people)}", begin + _frames(_AFTER), scene, faces=len(people))


def one_of(cast: tuple[Clip | Portrait, ...], places: Sequence[tuple[float, float]], name: str) -> Clip:
    """The clip in the first place, and still portraits in the others."""
    clip, *others = cast
    assert isinstance(clip, Clip)
    stills = [one for one in others if isinstance(one, Portrait)]

    def scene(number: int) -> list[Placed]:
        (moving,) = clip.scene(number)
        x, y = places[0]
        first = Placed(moving.tile, moving.x - _MIDDLE[0] + x, moving.y - _MIDDLE[1] + y, moving.name)
        rest = [_here(one.tile, number, one.name, place) for one, place in zip(stills, places[1:], strict=True)]
        return [first, *rest]

    return Clip(name, clip.count, scene, faces=len(places))


def _frames(seconds: float) -> int:
    return round(seconds * FPS)


def _share(number: int, begin: int, end: int) -> float:
    """How far picture ``number`` is from ``begin`` (0) to ``end`` (1)."""
    return float(np.clip((number - begin) / (end - begin), 0, 1)) if end > begin else float(number >= begin)


def _here(tile: Bytes, number: int, name: str | None, place: tuple[float, float] = _MIDDLE) -> Placed:
    """The tile in its place, which sways a little."""
    return Placed(tile, place[0] + 0.8 * math.sin(number / 5), place[1] + 0.6 * math.cos(number / 7), name)

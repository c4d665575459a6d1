"""From sources to good faces: what is learnt, and what is not and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from realtime.people.judge import GoodFace, Judge, sharpest
from realtime.people.sources import Shot, Skipped, shots_of


@dataclass(frozen=True)
class Looked:
    """The faces that can be learnt, and the pictures that cannot."""

    faces: tuple[GoodFace, ...]
    skipped: tuple[Skipped, ...]


def look_at(
    judge: Judge, shots: Iterable[Shot | Skipped], on_picture: Callable[[GoodFace | Skipped], None] = lambda one: None
) -> Looked:
    """Judge pictures, one after another; ``on_picture`` is told of each."""
    faces: list[GoodFace] = []
    skipped: list[Skipped] = []
    for shot in shots:
        found = shot if isinstance(shot, Skipped) else judge.look(shot)
        on_picture(found)
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            faces.append(found)
    return Looked(tuple(sharpest(faces)), tuple(skipped))


def look_at_sources(
    judge: Judge,
    sources: Sequence[str],
    *,
    seconds: float,
    on_picture: Callable[[GoodFace | Skipped], None] = lambda one: None,
) -> Looked:
    """The same of all sources, see ``shots_of``.

    Raises:
        BadInput: a source cannot be opened.
    """
    found = [look_at(judge, shots_of(source, seconds=seconds), on_picture) for source in sources]
    return Looked(
        tuple(face for one in found for face in one.faces), tuple(skip for one in found for skip in one.skipped)
    )

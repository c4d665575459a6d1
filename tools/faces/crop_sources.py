"""Aligned crops of many people, a few of which are wanted: a folder per person, or one file (``.npz``) of packed crops.

A packed file holds ``people`` (N,), whose each crop is, and the crops' picture files one after another in
``pictures`` (uint8): crop i is ``pictures[offsets[i] : offsets[i + 1]]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.arrays import Bytes, read_arrays
from models.errors import BadInput
from realtime.people.pictures import people_of
from tools.faces.people import at_size, read_crop, shown_name


@dataclass(frozen=True)
class CropSource:
    """N crops; ``people`` says whose each one is, ``read`` gives (T, T, 3) RGB of one."""

    name: str
    people: tuple[str, ...]
    read: Callable[[int], Bytes]


def open_source(path: Path) -> CropSource:
    """A folder per person, or a packed file.

    Raises:
        BadInput: it is neither.
    """
    return _packed(path) if path.is_file() else _folders(path)


def spread(people: Sequence[str], count: int, random: np.random.Generator) -> list[int]:
    """``count`` of the crops, from as many people as there are: one of each before a second one of anybody."""
    order = random.permutation(len(people))
    seen: dict[str, int] = {}
    turn = np.empty(len(people), np.int64)
    for place in order:
        turn[place] = seen[people[place]] = seen.get(people[place], -1) + 1
    return [int(place) for place in order[np.argsort(turn[order], kind="stable")][:count]]


def drawn(
    sources: Sequence[CropSource], count: int, size: int, *, without: Sequence[str] = (), seed: int = 0
) -> tuple[Bytes, list[str]]:
    """``count`` crops (count, size, size, 3) and whose they are, in equal shares of the sources, many people of each.

    Nobody who is called like somebody ``without`` is drawn.

    Raises:
        BadInput: the sources hold fewer, or a crop cannot be read.
    """
    random = np.random.default_rng(seed)
    left_out = {name.casefold() for name in without}
    crops: list[Bytes] = []
    names: list[str] = []
    for number, source in enumerate(sorted(sources, key=lambda one: len(one.people))):  # who has less gives all
        wanted = (count - len(crops)) // (len(sources) - number)
        allowed = [place for place, name in enumerate(source.people) if name.casefold() not in left_out]
        for chosen in spread([source.people[place] for place in allowed], wanted, random):
            place = allowed[chosen]
            small = cv2.resize(source.read(place), (size, size), interpolation=cv2.INTER_AREA)
            crops.append(np.asarray(small, dtype=np.uint8))
            names.append(source.people[place])
    if len(crops) < count:
        raise BadInput(
            f"{count} crops of other people are wanted, {len(crops)} are given; give more people, or want fewer"
        )
    return np.stack(crops), names


def every_crop(source: CropSource, size: int) -> Bytes:
    """All crops of a source, (N, size, size, 3) uint8 RGB.

    Raises:
        BadInput: one cannot be read.
    """
    return np.concatenate([at_size(source.read(place)[None], size) for place in range(len(source.people))])


def _folders(path: Path) -> CropSource:
    found = [(shown_name(person), picture) for person, each in people_of(path, least=1).items() for picture in each]
    return CropSource(path.name, tuple(person for person, _ in found), lambda place: read_crop(found[place][1]))


def _checked(picture: Bytes | None, where: str) -> Bytes:
    if picture is None or picture.shape[0] != picture.shape[1]:
        raise BadInput(f"{where}: not a readable square crop; run python -m tools.prepare first")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _packed(path: Path) -> CropSource:
    arrays = read_arrays(path, "people", "pictures", "offsets")
    if arrays is None:
        raise BadInput(f"{path}: no file of packed crops (people, pictures, offsets)")
    people, pictures, offsets = (arrays[name] for name in ("people", "pictures", "offsets"))
    if pictures.dtype != np.uint8 or len(offsets) != len(people) + 1 or people.dtype.kind != "U":
        raise BadInput(f"{path}: its arrays do not fit: people {people.shape}, offsets {offsets.shape}")

    def read(place: int) -> Bytes:
        content = pictures[offsets[place] : offsets[place + 1]]
        decoded = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
        return _checked(None if decoded is None else np.asarray(decoded, np.uint8), f"{path}, crop {place}")

    return CropSource(path.name, tuple(shown_name(str(person)) for person in people), read)

"""Reads prepared crops: a folder per person, all crops square and of one size."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from models.arrays import Bytes, Labels
from models.errors import BadInput
from models.training.features import to_pixels
from realtime.people.pictures import people_of, read_picture
from realtime.people.preparation import REPORT, photographs_of, was_interrupted


@dataclass(frozen=True)
class People:
    """N crops of K people; ``names`` are the folders', ``pictures`` the files' as ``person/file``.

    ``photographs``: the start of the SHA-256 of what each crop was cut from, "" where nobody knows.
    """

    names: tuple[str, ...]
    crops: Bytes  # (N, T, T, 3) RGB
    labels: Labels  # (N,)
    pictures: tuple[str, ...]
    photographs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.photographs:
            object.__setattr__(self, "photographs", ("",) * len(self.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Labels) -> People:
        """These crops, with all names."""
        pictures, photographs = (tuple(of[i] for i in indices) for of in (self.pictures, self.photographs))
        return People(self.names, self.crops[indices], self.labels[indices], pictures, photographs)

    def of(self, people: Sequence[int]) -> People:
        """The crops of these people only, relabelled in this order."""
        indices = np.flatnonzero(np.isin(self.labels, people))
        place = {person: index for index, person in enumerate(people)}
        labels = np.array([place[int(label)] for label in self.labels[indices]], dtype=np.int64)
        return replace(self.subset(indices), names=tuple(self.names[person] for person in people), labels=labels)

    def joined(self, other: People, *, times: int = 1) -> People:
        """These people and ``other`` ones, whose crops are repeated ``times`` times.

        Raises:
            BadInput: somebody is among both, or the crops have different sides.
        """
        if both := self.shared_with(other):
            raise BadInput(f"{both[0]}: is among both groups of people; take the folder out of one")
        if self.crops.shape[1:] != other.crops.shape[1:]:
            raise BadInput(
                f"crops of side {self.crops.shape[1]} and {other.crops.shape[1]}: prepare all with one --size"
            )
        return People(
            self.names + other.names,
            np.concatenate([self.crops, *[other.crops] * times]),
            np.concatenate([self.labels, *[other.labels + len(self.names)] * times]),
            self.pictures + other.pictures * times,
            self.photographs + other.photographs * times,
        )

    def shared_with(self, other: People) -> list[str]:
        """The names among ``other`` that are among these too, in whatever case."""
        mine = {name.casefold() for name in self.names}
        return [name for name in other.names if name.casefold() in mine]

    def digest(self) -> str:
        """SHA-256 of the pictures' names: says whether two runs speak of the same set."""
        return hashlib.sha256("\n".join(self.pictures).encode()).hexdigest()


def shown_name(folder: str) -> str:
    """What a person is called on screen: ``Eileen_Collins`` becomes "Eileen Collins", in Unicode's composed form."""
    return " ".join(unicodedata.normalize("NFC", folder).replace("_", " ").split())


def read_people(
    folders: Sequence[Path],
    *,
    allow_single: bool = False,
    aligned: bool = False,
    most: int | None = None,
    leave_out: int = 0,
    seed: int = 0,
) -> People:
    """All crops of the folders, people sorted by name; a person in several folders has the crops of all.

    Args:
        folders: each holds one folder per person, as ``tools.prepare`` writes it.
        allow_single: accept people with one crop.
        aligned: accept folders without ``prepare.json``: their crops are in the canonical pose already.
        most: keep at most so many crops, drawn with ``seed``.
        leave_out: leave out so many people, the last ones by name, for later measurements.

    Raises:
        BadInput: a folder was not prepared, or not to the end, a crop is unreadable, not square or of another
            size, or somebody has too few crops.
    """
    found: dict[str, list[Path]] = {}
    photographs: dict[Path, str] = {}
    for folder in folders:
        if was_interrupted(folder):
            raise BadInput(f"{folder}: its preparation was interrupted; run tools.prepare again, it goes on from there")
        people = people_of(folder, least=1)
        if not aligned and not (folder / REPORT).is_file():
            raise BadInput(
                f"{folder}: was not prepared; run python -m tools.prepare {folder} TARGET first, or give --aligned if"
                " its pictures are face crops in the canonical pose"
            )
        photographs |= {folder / crop: digest for crop, digest in photographs_of(folder).items()}
        for name, pictures in people.items():
            found.setdefault(shown_name(name), []).extend(pictures)
    for name, pictures in found.items():
        if len(pictures) < 2 and not allow_single:
            raise BadInput(
                f"{pictures[0].parent}: holds one picture of {name}, at least 2 are needed to train and to validate;"
                " add pictures or give --allow-single"
            )
    if leave_out >= len(found):
        raise BadInput(f"{folders[0]}: holds {len(found)} people, {leave_out} of them cannot be left out")
    names = tuple(sorted(found)[: len(found) - leave_out])
    everything = [(label, path) for label, name in enumerate(names) for path in found[name]]
    if most is not None and most < len(everything):
        chosen = np.sort(np.random.default_rng(seed).permutation(len(everything))[:most])
        everything = [everything[index] for index in chosen]
    side = read_crop(everything[0][1]).shape[0]
    crops = np.empty((len(everything), side, side, 3), dtype=np.uint8)
    for index, (_, path) in enumerate(everything):
        crop = read_crop(path)
        if crop.shape != (side, side, 3):
            raise BadInput(
                f"{path}: is {crop.shape[1]} x {crop.shape[0]}, the first crop is {side} x {side};"
                " prepare all people with the same --size"
            )
        crops[index] = crop
    return People(
        names,
        crops,
        np.array([label for label, _ in everything], dtype=np.int64),
        tuple(f"{path.parent.name}/{path.name}" for _, path in everything),
        tuple(photographs.get(path, "") for _, path in everything),
    )


def at_size(crops: Bytes, size: int) -> Bytes:
    """(N, T, T, 3) uint8 -> (N, size, size, 3) uint8, resampled as training does it."""
    if crops.shape[1] == size:
        return crops
    pixels = to_pixels(crops, size).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())


def read_crop(path: Path) -> Bytes:
    """(T, T, 3) uint8 RGB.

    Raises:
        BadInput: the file is no readable picture, or not square.
    """
    picture = read_picture(path)
    if picture is None:
        raise BadInput(f"{path}: not a readable picture")
    if picture.shape[0] != picture.shape[1]:
        raise BadInput(
            f"{path}: is {picture.shape[1]} x {picture.shape[0]}, a crop is square; run python -m tools.prepare first"
        )
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)

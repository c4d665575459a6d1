"""Who attacks as whom: (attacker, target) pairs drawn uniformly among correctly classified crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Bytes, Floats
from models.errors import BadInput
from tools.faces.people import People

Classify = Callable[[Bytes], Floats]
STRANGER = -1


@dataclass(frozen=True)
class Pair:
    """One attack. ``label`` is the attacker's place among the recogniser's labels, ``STRANGER`` where he has
    none; ``target`` None dodges. ``crops`` holds the J pictures that share one texture (usually J = 1).
    """

    number: int
    attacker: str
    pictures: tuple[str, ...]
    crops: Bytes  # (J, S, S, 3) RGB
    label: int
    target: int | None

    @property
    def key(self) -> str:
        """The pair's folder name."""
        return f"{self.number:04d}"


def index_of(name: str, labels: Sequence[str], what: str, *, where: str = "the bundle") -> int:
    """The place of ``name`` among the labels.

    Raises:
        BadInput: it is not there; names the nearest ones.
    """
    wanted = " ".join(name.replace("_", " ").split()).casefold()
    for place, label in enumerate(labels):
        if label.casefold() == wanted:
            return place
    similar = [label for label in labels if any(part in label.casefold() for part in wanted.split())]
    shown = ", ".join(similar or labels[:5]) + ("" if similar or len(labels) <= 5 else ", ...")
    raise BadInput(f"{what} {name!r}: {where} does not know this person; it knows {shown}")


def labels_of(people: People, labels: Sequence[str], *, strangers: bool) -> list[int]:
    """For each person of the folder the place among the recogniser's labels (all ``STRANGER`` for strangers).

    Raises:
        BadInput: an unknown person in the gallery's folder, or an enrolled one among the strangers.
    """
    known = {label.casefold(): place for place, label in enumerate(labels)}
    found = [known.get(name.casefold(), STRANGER) for name in people.names]
    for name, place in zip(people.names, found, strict=True):
        if strangers and place != STRANGER:
            raise BadInput(f"attacker {name!r}: is enrolled, so no stranger; take the folder out of --attackers")
        if not strangers and place == STRANGER:
            raise BadInput(f"person {name!r}: the bundle does not know this person; give strangers as --attackers")
    return found


def draw_pairs(
    people: People,
    places: Sequence[int],
    classify: Classify,
    *,
    count: int,
    seed: int,
    targets: Sequence[int],
    dodge: bool = False,
    joint: int = 1,
) -> list[Pair]:
    """``count`` different pairs, each equally likely among those whose first crop is classified correctly.

    Args:
        people: crops at the recogniser's size.
        places: for each person the label, or ``STRANGER`` (then every crop will do).
        classify: (N, S, S, 3) -> (N, K); asked only for the crops that the draw comes upon.
        targets: the labels that may be impersonated; a person never impersonates himself.
        joint: crops of the attacker that share one texture; the others are drawn from his remaining ones.

    Raises:
        BadInput: no pair is left.
    """
    random = np.random.default_rng(seed)
    right = _Correct(people, places, classify)
    pairs: list[Pair] = []
    for image, target in _draws(people, places, targets, dodge, random):
        if len(pairs) == count:
            break
        if not right(image):
            continue
        person = int(people.labels[image])
        mine = np.flatnonzero(people.labels == person)
        others = random.permutation(mine[mine != image])[: joint - 1]
        chosen = [image, *(int(other) for other in others)]
        pairs.append(
            Pair(
                number=len(pairs),
                attacker=people.names[person],
                pictures=tuple(people.pictures[index] for index in chosen),
                crops=people.crops[chosen],
                label=places[person],
                target=target,
            )
        )
    if not pairs:
        raise BadInput(
            f"no pair to attack: of {len(people)} crops none is both classified correctly and left with a target;"
            " look at the folder, --person, --target and --pairs"
        )
    return pairs


def _draws(
    people: People, places: Sequence[int], targets: Sequence[int], dodge: bool, random: np.random.Generator
) -> Iterator[tuple[int, int | None]]:
    """Every (crop, target) once, in random order."""
    if dodge:
        yield from ((int(image), None) for image in random.permutation(len(people)))
        return
    for flat in random.permutation(len(people) * len(targets)):
        image, target = divmod(int(flat), len(targets))
        if places[int(people.labels[image])] != targets[target]:
            yield image, targets[target]


class _Correct:
    """Whether a crop is classified correctly, asked once."""

    def __init__(self, people: People, places: Sequence[int], classify: Classify) -> None:
        self._people, self._places, self._classify = people, places, classify
        self._known: dict[int, bool] = {}

    def __call__(self, image: int) -> bool:
        if self._places[int(self._people.labels[image])] == STRANGER:
            return True
        if image not in self._known:
            named = self._classify(self._people.crops[image : image + 1]).argmax(axis=1)
            self._known[image] = int(named[0]) == self._places[int(self._people.labels[image])]
        return self._known[image]

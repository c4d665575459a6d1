"""What a gallery's pictures say about it, honestly: each picture is compared with its person's *other* pictures.

Only the whole face is kept of each picture, so these figures are of the undefended view; hidden zones can only make
more people unknown. A person of one picture has nothing left out to compare: they are in no share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.arrays import Bools, Floats
from models.gallery.gallery import Gallery, Person, unit
from models.gallery.match import Scale

#: From this cosine on two vectors are taken for the same picture (8 bits move it by less than 0.002).
SAME_PICTURE = 0.995
#: Somebody is a look-alike of whom their pictures give at least this probability, while they are not enrolled.
LOOKS_ALIKE = 0.2
_AT_ONCE = 512  # pictures compared at a time


@dataclass(frozen=True)
class PersonReport:
    """``right`` of ``tried`` pictures name their person by the others; ``tried`` 0: one picture only."""

    name: str
    pictures: int
    tried: int
    right: int
    taken_for: tuple[str, ...] = ()  # whom wrong pictures name, most frequent first


@dataclass(frozen=True)
class Misfit:
    """A picture that fits its person badly: ``instead`` somebody else, or None: nobody."""

    name: str
    picture: int  # its number among the person's
    digest: str
    instead: str | None


@dataclass(frozen=True)
class Lookalike:
    """``name``'s pictures would be given ``probability`` as ``other`` if ``name`` were not enrolled."""

    name: str
    other: str
    probability: float


@dataclass(frozen=True)
class Duplicate:
    """One picture twice; ``exact``: the very same file, otherwise by its vector."""

    first: tuple[str, int]  # person, number among their pictures
    second: tuple[str, int]
    exact: bool

    @property
    def across(self) -> bool:
        """Whether two people share it."""
        return self.first[0] != self.second[0]


@dataclass(frozen=True)
class Report:
    """See the module's first lines. ``strangers_named`` of ``strangers``: pictures of the cohort, whole face."""

    people: tuple[PersonReport, ...]
    misfits: tuple[Misfit, ...]
    lookalikes: tuple[Lookalike, ...]
    duplicates: tuple[Duplicate, ...]
    strangers: int
    strangers_named: int

    def of(self, name: str) -> Report:
        """What of it is about this person."""
        return replace(
            self,
            people=tuple(one for one in self.people if one.name == name),
            misfits=tuple(one for one in self.misfits if one.name == name),
            lookalikes=tuple(one for one in self.lookalikes if name in (one.name, one.other)),
            duplicates=tuple(one for one in self.duplicates if name in (one.first[0], one.second[0])),
        )

    @property
    def tried(self) -> int:
        return sum(person.tried for person in self.people)

    @property
    def right(self) -> int:
        return sum(person.right for person in self.people)


def report_on(gallery: Gallery, cohort: Floats, scale: Scale, threshold: float) -> Report:
    """Compare every picture with everybody, without its own part in its person's mean.

    Args:
        cohort: (C, D) unit length, other people, whole face.
        scale: as ``models.gallery.match.Matcher``.
        threshold: from this probability on somebody is named.
    """
    tables = _Tables(gallery, cohort, scale)
    people, misfits = _left_out(tables, threshold)
    return Report(
        people,
        misfits,
        _lookalikes(tables),
        _duplicates(gallery),
        len(cohort),
        _strangers_named(tables, threshold),
    )


class _Tables:
    """The pictures of all people in one table: ``vectors`` (P, D), and whose each one is."""

    def __init__(self, gallery: Gallery, cohort: Floats, scale: Scale) -> None:
        self.people: tuple[Person, ...] = gallery.people
        self.cohort, self.scale = cohort, scale
        size = cohort.shape[1] if not self.people else self.people[0].means.shape[1]
        self.rows = gallery.rows(0).reshape(-1, size)
        self.vectors = np.concatenate([np.zeros((0, size), np.float32), *[p.unit_vectors for p in self.people]])
        self.owners = np.repeat(np.arange(len(self.people)), [len(p.vectors) for p in self.people])
        sums = np.zeros_like(self.rows)
        np.add.at(sums, self.owners, self.vectors)
        self.alone: Bools = np.bincount(self.owners, minlength=len(self.people))[self.owners] < 2
        self.others = unit(sums[self.owners] - self.vectors)  # (P, D): the person's mean without this picture

    def parts(self) -> Iterator[npt.NDArray[np.int64]]:
        for first in range(0, len(self.vectors), _AT_ONCE):
            yield np.arange(first, min(first + _AT_ONCE, len(self.vectors)))

    def cosines(self, part: npt.NDArray[np.int64]) -> Floats:
        """(M, K + C) of these pictures to everybody and the cohort."""
        return np.concatenate([self.vectors[part] @ self.rows.T, self.vectors[part] @ self.cohort.T], axis=1)

    def probabilities(self, cosines: Floats) -> Floats:
        """(M, K + C) -> (M, K + 1), the last one nobody's."""
        scores = cosines.astype(np.float64) / self.scale.temperature
        scores[:, len(self.people) :] += self.scale.nobody(len(self.people))
        powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        kept = len(self.people)
        every = np.concatenate([powers[:, :kept], powers[:, kept:].sum(axis=1, keepdims=True)], axis=1)
        found: Floats = (every / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return found


def _left_out(tables: _Tables, threshold: float) -> tuple[tuple[PersonReport, ...], tuple[Misfit, ...]]:
    right = np.zeros(len(tables.people), np.int64)
    wrong: list[dict[str, int]] = [{} for _ in tables.people]
    misfits: list[Misfit] = []
    first = np.cumsum([0, *(len(person.vectors) for person in tables.people)])
    for part in tables.parts():
        cosines, owners = tables.cosines(part), tables.owners[part]
        own = np.einsum("md,md->m", tables.vectors[part], tables.others[part])
        cosines[np.arange(len(part)), owners] = own
        found = tables.probabilities(cosines)
        for place, picture in enumerate(part):
            owner = int(owners[place])
            if tables.alone[picture]:
                continue
            best = int(found[place].argmax())
            if best == owner:
                right[owner] += bool(found[place, best] >= threshold)
                continue
            person, number = tables.people[owner], int(picture - first[owner])
            instead = tables.people[best].name if best < len(tables.people) else None
            if instead is not None and found[place, best] >= threshold:
                wrong[owner][instead] = wrong[owner].get(instead, 0) + 1
            misfits.append(Misfit(person.name, number, person.digests[number], instead))
    people = tuple(
        PersonReport(
            person.name,
            person.counts,
            len(person.vectors) if len(person.vectors) > 1 else 0,
            int(right[number]),
            tuple(sorted(wrong[number], key=lambda name: -wrong[number][name])),
        )
        for number, person in enumerate(tables.people)
    )
    return people, tuple(misfits)


def _lookalikes(tables: _Tables) -> tuple[Lookalike, ...]:
    count = len(tables.people)
    given = np.zeros((count, count), np.float32)
    for part in tables.parts():
        cosines, owners = tables.cosines(part), tables.owners[part]
        cosines[np.arange(len(part)), owners] = -np.inf  # as if their person were not enrolled
        if cosines.shape[1] > 1:
            np.add.at(given, owners, tables.probabilities(cosines)[:, :count])
    given /= np.maximum(np.bincount(tables.owners, minlength=count), 1)[:, None]
    pairs = sorted(np.argwhere(given >= LOOKS_ALIKE).tolist(), key=lambda pair: -float(given[pair[0], pair[1]]))
    return tuple(Lookalike(tables.people[a].name, tables.people[b].name, float(given[a, b])) for a, b in pairs)


def _strangers_named(tables: _Tables, threshold: float) -> int:
    """How many of the cohort get a name, each without its own part in the denominator."""
    if not tables.people or not len(tables.cohort):
        return 0
    named = 0
    for first in range(0, len(tables.cohort), _AT_ONCE):
        some = tables.cohort[first : first + _AT_ONCE]
        cosines = np.concatenate([some @ tables.rows.T, some @ tables.cohort.T], axis=1)
        itself = np.arange(len(some))
        cosines[itself, len(tables.people) + first + itself] = -np.inf
        named += int((tables.probabilities(cosines)[:, :-1].max(axis=1) >= threshold).sum())
    return named


def _duplicates(gallery: Gallery) -> tuple[Duplicate, ...]:
    places = [(person.name, number) for person in gallery.people for number in range(len(person.vectors))]
    digests = [digest for person in gallery.people for digest in person.digests]
    vectors = [person.unit_vectors for person in gallery.people if len(person.vectors)]
    if not vectors:
        return ()
    table = np.concatenate(vectors)
    found: list[Duplicate] = []
    for first in range(0, len(table), _AT_ONCE):
        close = table[first : first + _AT_ONCE] @ table[first:].T >= SAME_PICTURE
        for row, column in np.argwhere(close).tolist():
            if column > row:
                a, b = first + row, first + column
                found.append(Duplicate(places[a], places[b], bool(digests[a]) and digests[a] == digests[b]))
    return tuple(found)

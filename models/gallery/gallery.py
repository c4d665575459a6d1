"""People as a recogniser knows them: means of embeddings, one for each view. Changing them trains nothing.

A gallery is never changed: every operation gives a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.errors import BadInput
from models.gallery.names import checked_name, key_of

Int8s = npt.NDArray[np.int8]


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """(..., D) -> the same of length 1 along the last axis; what has no length stays zero."""
    length = np.linalg.norm(np.asarray(vectors, np.float64), axis=-1, keepdims=True)
    found: Floats = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return found


def as_bytes(vectors: Floats) -> Int8s:
    """(P, D) unit vectors in 8 bits a number, each scaled by its own largest one: only the direction is kept."""
    most = np.maximum(np.abs(vectors).max(axis=1, keepdims=True, initial=0), 1e-12)
    found: Int8s = np.rint(vectors / most * 127).astype(np.int8)
    return found


@dataclass(frozen=True, eq=False)
class Person:
    """One person. V zones are hidden one at a time, embeddings have D numbers, P pictures are remembered.

    ``means``: of the whole face and then of each hidden zone, unit length. ``counts``: pictures in the means.
    ``vectors``: the whole face of each picture, 8 bits (``as_bytes``). ``digests``: of each picture's file or pixels.
    ``added``: ISO date. ``consent``: when and how it was given; None where nobody asked.
    """

    name: str
    means: Floats  # (1 + V, D)
    counts: int
    vectors: Int8s  # (P, D)
    digests: tuple[str, ...]
    added: str
    consent: str | None = None

    def __post_init__(self) -> None:
        if self.means.ndim != 2 or self.vectors.ndim != 2 or self.vectors.shape[1] != self.means.shape[1]:
            raise ValueError(f"means {self.means.shape} and vectors {self.vectors.shape} do not fit")
        if self.counts < 1 or len(self.digests) != len(self.vectors):
            raise ValueError(f"{self.counts} pictures, {len(self.vectors)} vectors, {len(self.digests)} digests")

    @property
    def unit_vectors(self) -> Floats:
        """(P, D) unit length."""
        return unit(self.vectors)

    @classmethod
    def of(
        cls,
        name: str,
        embeddings: Floats,
        digests: Sequence[str],
        *,
        added: date | None = None,
        consent: str | None = None,
    ) -> Person:
        """From the embeddings (P, 1 + V, D) of somebody's pictures.

        Raises:
            BadInput: no name, no picture, or an embedding that is no number.
        """
        if len(embeddings) == 0:
            raise BadInput(f"{name}: no picture to add; give at least one with a face")
        if not np.isfinite(embeddings).all():
            raise BadInput(f"{name}: an embedding is not finite; the network of this bundle is damaged")
        means = unit(unit(embeddings).sum(axis=0))
        day = (added or date.today()).isoformat()
        vectors = as_bytes(unit(embeddings[:, 0]))
        return cls(checked_name(name), means, len(embeddings), vectors, tuple(digests), day, consent)

    def with_pictures_of(self, other: Person) -> Person:
        """This person with another one's pictures too: means weighted by counts. A picture of both counts once."""
        new = [number for number, digest in enumerate(other.digests) if digest not in self.digests]
        if not new and other.digests:
            return replace(self, consent=self.consent or other.consent)
        weight = other.counts * len(new) / len(other.digests) if other.digests else other.counts
        return replace(
            self,
            means=unit(self.counts * self.means + np.float32(weight) * other.means),
            counts=self.counts + max(1, round(weight)),
            vectors=np.concatenate([self.vectors, other.vectors[new]]),
            digests=self.digests + tuple(other.digests[number] for number in new),
            consent=self.consent or other.consent,
        )

    def without_picture(self, number: int) -> Person:
        """This person without picture ``number``.

        The mean of the whole face is made anew from the pictures left. Of the hidden zones only means are kept, so the
        picture's whole face is taken out of those in its place: near, not exact.

        Raises:
            BadInput: it is the only one.
        """
        if len(self.vectors) < 2 or self.counts < 2:
            raise BadInput(f"{self.name}: this is the only picture; remove the person, or add others first")
        vectors = self.unit_vectors
        rest = np.delete(vectors, number, axis=0)
        length = float(np.linalg.norm(vectors.sum(axis=0))) / len(vectors)  # of the mean, before it was made 1
        hidden = unit(self.counts * length * self.means[1:] - vectors[number])
        return replace(
            self,
            means=np.concatenate([unit(rest.sum(axis=0))[None], hidden]),
            counts=self.counts - 1,
            vectors=np.delete(self.vectors, number, axis=0),
            digests=self.digests[:number] + self.digests[number + 1 :],
        )


@dataclass(frozen=True, eq=False)
class Gallery:
    """People, in the order they came, and what their embeddings were made with.

    ``trunk``: SHA-256 of the network's file. ``cover``: digest of what the hidden zones hide. ``views``: the zones'
    names, in the order of the means behind the whole face's.

    Raises:
        BadInput: two people have one name.
        ValueError: somebody's means are of another shape.
    """

    people: tuple[Person, ...]
    trunk: str
    cover: str
    views: tuple[str, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for person in self.people:
            key = key_of(person.name)
            if key in seen:
                raise BadInput(f"{person.name}: is there already, as {seen[key]}; give another name")
            seen[key] = person.name
            if person.means.shape != (1 + len(self.views), self.people[0].means.shape[1]):
                raise ValueError(f"{person.name}: means of shape {person.means.shape}, {len(self.views)} hidden zones")

    def __len__(self) -> int:
        return len(self.people)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(person.name for person in self.people)

    def rows(self, view: int) -> Floats:
        """(K, D) unit length: everybody's mean in view 0 (the whole face) or with zone ``view - 1`` hidden.

        Of nobody: (0, 0), for there is nobody to say how long an embedding is.
        """
        if not 0 <= view <= len(self.views):
            raise ValueError(f"view {view}: there are {1 + len(self.views)}")
        if not self.people:
            return np.zeros((0, 0), np.float32)
        return np.stack([person.means[view] for person in self.people])

    def find(self, name: str) -> Person | None:
        """Whoever has this name, in whatever case and Unicode form."""
        key = key_of(name)
        return next((person for person in self.people if key_of(person.name) == key), None)

    def person(self, name: str) -> Person:
        """The same.

        Raises:
            BadInput: nobody has it; says who is like it.
        """
        found = self.find(name)
        if found is None:
            near = [label for label in self.labels if key_of(name) in key_of(label)]
            hint = f"; there is {', '.join(near[:5])}" if near else f"; there are {len(self)} people in the gallery"
            raise BadInput(f"{name}: nobody has that name{hint}")
        return found

    def add(self, person: Person, *, join: bool = False) -> Gallery:
        """With one more person; ``join``: whoever is there under that name has the pictures too.

        Raises:
            BadInput: somebody has that name, and ``join`` is not given.
        """
        known = self.find(person.name)
        if known is None:
            return replace(self, people=(*self.people, person))
        if not join:
            raise BadInput(f"{person.name}: is there already; add to them with --more, or give another name")
        return self._changed(known, lambda one: one.with_pictures_of(person))

    def remove(self, name: str) -> Gallery:
        """Without this person.

        Raises:
            BadInput: nobody has that name.
        """
        gone = self.person(name)
        return replace(self, people=tuple(person for person in self.people if person is not gone))

    def rename(self, name: str, new: str) -> Gallery:
        """The same person under another name.

        Raises:
            BadInput: nobody has the old name, somebody else has the new one, or it is none.
        """
        changed, new = self.person(name), checked_name(new)
        holder = self.find(new)
        if holder is not None and holder is not changed:
            raise BadInput(f"{new}: is there already; make the two one with merge, or give another name")
        return self._changed(changed, lambda one: replace(one, name=new))

    def merge(self, name: str, *others: str) -> Gallery:
        """All of them as one person called ``name``: means weighted by counts.

        Raises:
            BadInput: nobody has one of the names, or they are the same person.
        """
        kept = self.person(name)
        gone = [self.person(other) for other in others]
        if not gone or kept in gone or len(set(gone)) < len(gone):
            raise BadInput(f"{name}: give two different people or more to merge")

        def joined(one: Person) -> Person:
            for other in gone:
                one = one.with_pictures_of(other)
            return one

        changed = self._changed(kept, joined)
        return replace(changed, people=tuple(person for person in changed.people if person not in gone))

    def without_picture(self, name: str, digest: str) -> Gallery:
        """Without one picture of this person, see ``Person.without_picture``.

        Raises:
            BadInput: nobody has that name, there is no such picture, or it is the only one.
        """
        person = self.person(name)
        if digest not in person.digests:
            raise BadInput(f"{person.name}: has no picture {digest[:8]}; there are {len(person.digests)}")
        return self._changed(person, lambda one: one.without_picture(one.digests.index(digest)))

    def _changed(self, person: Person, change: Callable[[Person], Person]) -> Gallery:
        return replace(self, people=tuple(change(one) if one is person else one for one in self.people))

"""People who are directions: every picture is a person's own direction and a little noise."""

from __future__ import annotations

from datetime import date

import numpy as np

from models.arrays import Floats
from models.gallery.gallery import Gallery, Person, unit

SIZE = 64
DAY = date(2026, 11, 30)


def embeddings(seed: int, pictures: int = 5, *, views: int = 2, noise: float = 0.5, size: int = SIZE) -> Floats:
    """(P, 1 + V, D) unit length, around a direction that ``seed`` draws."""
    rng = np.random.default_rng(seed)
    middle = unit(rng.normal(size=size))
    return unit(middle + noise * unit(rng.normal(size=(pictures, 1 + views, size))))


def person(name: str, seed: int, pictures: int = 5, **drawn: float) -> Person:
    """Somebody of five pictures."""
    digests = [f"{seed}-{number}" for number in range(pictures)]
    return Person.of(name, embeddings(seed, pictures, **drawn), digests, added=DAY, consent="yes")  # type: ignore[arg-type]


def gallery(*names: str, pictures: int = 5) -> Gallery:
    """A gallery of these, each with a direction of their own."""
    people = tuple(person(name, seed, pictures) for seed, name in enumerate(names))
    return Gallery(people, "t" * 64, "c" * 32, ("eyewear", "lower_face"))


def cohort(people: int = 200, *, views: int = 2, size: int = SIZE) -> Floats:
    """(1 + V, C, D) of other people."""
    return unit(np.random.default_rng(99).normal(size=(1 + views, people, size)))

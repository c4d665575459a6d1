"""How well people are told apart from each other and from strangers, from embeddings alone.

DIR (detection and identification rate, Phillips et al. 2011, "Evaluation methods in face recognition"): the share of
known faces that are rightly named while a stated share of strangers is named. Every threshold here is found on the
very strangers of its figure, as DIR is defined: it compares recognisers and says nothing about a threshold in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Bools, Floats, Labels
from models.gallery.gallery import Gallery, Person
from models.gallery.match import Matcher, Scale
from tools.common.report import Proportion, proportion

RATES = (0.01, 0.001)


@dataclass(frozen=True)
class Faces:
    """N faces: unit embeddings (N, 1 + V, D), whose they are, and which picture each one is."""

    embeddings: Floats
    labels: Labels  # (N,) into ``people``
    people: tuple[str, ...]
    pictures: tuple[str, ...]

    def names(self) -> list[str]:
        return [self.people[label] for label in self.labels]


def named_while(best: Floats, right: Bools, others: Floats, rate: float) -> Proportion:
    """DIR: known faces rightly named while at most ``rate`` of the strangers are.

    Args:
        best: (N,) what the likeliest name gets on each known face; ``right`` (N,) whether it is theirs.
        others: (M,) the same of strangers.
    """
    named = right & (best > np.quantile(others, 1 - rate))
    return proportion(int(named.sum()), len(right))


def rates_of(given: Floats, labels: Labels, of_strangers: Floats) -> dict[str, Proportion]:
    """One view: right among the known, DIR at each of ``RATES``, and right while no stranger at all is named.

    Args:
        given: (N, K) probabilities of known faces, ``labels`` (N,) whose they are.
        of_strangers: (M, K).
    """
    best, right, others = given.max(axis=1), given.argmax(axis=1) == labels, of_strangers.max(axis=1)
    figures = {"right": proportion(int(right.sum()), len(right))}
    for rate in RATES:
        figures[f"dir_at_{rate:g}"] = named_while(best, right, others, rate)
    none = right & (best > others.max())
    return figures | {"right_while_no_stranger_is_named": proportion(int(none.sum()), len(right))}


def from_few_pictures(
    strangers: Faces, cohort: Floats, scale: Scale, counts: Sequence[int], *, like: Gallery
) -> dict[str, dict[str, Proportion | int]]:
    """People of ``strangers`` enrolled from 1, 2, ... of their pictures, all who have more than that; whole faces.

    The rest of their pictures are the known faces, everybody else's are strangers.
    """
    figures: dict[str, dict[str, Proportion | int]] = {}
    for count in counts:
        places = [np.flatnonzero(strangers.labels == person) for person in range(len(strangers.people))]
        enrolled = [person for person, mine in enumerate(places) if len(mine) > count]
        if not enrolled:
            continue
        gallery = gallery_from(strangers, {person: places[person][:count] for person in enrolled}, like)
        probes = np.concatenate([places[person][count:] for person in enrolled])
        labels = np.concatenate([np.full(len(places[p]) - count, n) for n, p in enumerate(enrolled)])
        others = np.flatnonzero(~np.isin(strangers.labels, enrolled))
        given = Matcher(gallery, cohort, scale).probabilities(strangers.embeddings[:, 0])
        figures[str(count)] = {"people": len(enrolled), **rates_of(given[probes], labels, given[others])}
    return figures


def gallery_from(faces: Faces, chosen: dict[int, Labels], like: Gallery) -> Gallery:
    """These people from the faces at the given places."""
    people = [
        Person.of(faces.people[person], faces.embeddings[mine], [faces.pictures[place] for place in mine])
        for person, mine in chosen.items()
    ]
    return Gallery(tuple(people), like.trunk, like.cover, like.views)

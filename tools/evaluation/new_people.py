"""What becomes of people who are added to a bundle with few pictures, of those it knows, and of strangers.

Everything is one picture and the policy with all its views, counted from embeddings. Which pictures somebody is
learnt from is drawn several times; intervals are over people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Floats, Labels
from models.gallery.gallery import Gallery, Person
from models.recogniser import Recogniser
from tools.common.report import Proportion
from tools.evaluation.measures import Flags, share
from tools.evaluation.open_set import Faces
from tools.evaluation.policy_rates import decided


@dataclass(frozen=True)
class Drawn:
    """One draw: what each new person is learnt from, and the faces that they are then shown with (places)."""

    learnt: dict[int, Labels]
    shown: Labels


def draws_of(faces: Faces, people: Sequence[int], count: int, draws: int, seed: int, *, rest: bool) -> list[Drawn]:
    """``count`` pictures of each of ``people``, drawn; of one draw those for a smaller count are among them.

    Args:
        rest: the pictures that are not learnt are shown.
    """
    found = []
    for draw in range(draws):
        learnt: dict[int, Labels] = {}
        left: list[int] = []
        for person in people:
            mine = np.random.default_rng([seed, draw, person]).permutation(np.flatnonzero(faces.labels == person))
            learnt[person] = mine[:count]
            left += mine[count:].tolist()
        found.append(Drawn(learnt, np.array(left if rest else [], np.int64)))
    return found


def with_people(gallery: Gallery, faces: Faces, learnt: dict[int, Labels]) -> Gallery:
    """The gallery with these people of ``faces``, each from the faces at the given places."""
    for person, places in learnt.items():
        digests = [faces.pictures[place] for place in places]
        gallery = gallery.add(Person.of(faces.people[person], faces.embeddings[places], digests))
    return gallery


def without_people(gallery: Gallery, names: Sequence[str]) -> Gallery:
    """The gallery as if these had never been in it."""
    return replace(gallery, people=tuple(person for person in gallery.people if person.name not in names))


def known_as(recogniser: Recogniser, gallery: Gallery, embeddings: Floats) -> list[str | None]:
    """Whom the policy knows N faces (N, 1 + V, D) as, with these people; None: nobody."""
    recogniser.use_gallery(gallery)
    raw, views = recogniser.compare(embeddings)
    decisions = decided(recogniser.policy, raw, views, recogniser.zones)
    return [None if one.identity is None else gallery.labels[int(one.identity)] for one in decisions]


@dataclass
class Counted:
    """Answers over all draws."""

    right: list[bool]
    wrong: list[bool]
    whose: list[str]

    @classmethod
    def none(cls) -> Counted:
        return cls([], [], [])

    def count(self, answers: Sequence[str | None], truth: Sequence[str | None], whose: Sequence[str]) -> None:
        """Further answers to faces of ``whose``; ``truth`` None: nobody in the gallery."""
        pairs = list(zip(answers, truth, strict=True))
        self.right += [answer is not None and answer == true for answer, true in pairs]
        self.wrong += [answer is not None and answer != true for answer, true in pairs]
        self.whose += whose

    def known_rightly(self) -> Proportion:
        return share(_flags(self.right), people=self.whose)

    def known_wrongly(self) -> Proportion:
        return share(_flags(self.wrong), people=self.whose)


def _flags(values: list[bool]) -> Flags:
    return np.array(values, np.bool_)


@dataclass(frozen=True)
class Shown:
    """Who is shown to a bundle that was given new people: the new ones, those it knew before, and strangers."""

    new: Faces
    before: Faces
    strangers: Faces


def added(
    recogniser: Recogniser, start: Gallery, learnt_from: Faces, drawn: Sequence[Drawn], shown: Shown
) -> dict[str, Proportion]:
    """Add the new people to ``start`` as drawn, show everybody, and count.

    Args:
        shown: ``new`` are all of its faces, or those at ``Drawn.shown`` where there are such.
    """
    new, before, strangers = Counted.none(), Counted.none(), Counted.none()
    for one in drawn:
        gallery = with_people(start, learnt_from, one.learnt)
        for faces, counted, places in (
            (shown.new, new, one.shown if len(one.shown) else np.arange(len(shown.new.labels))),
            (shown.before, before, np.arange(len(shown.before.labels))),
        ):
            names = [faces.people[label] for label in faces.labels[places]]
            counted.count(known_as(recogniser, gallery, faces.embeddings[places]), names, names)
        names = shown.strangers.names()
        strangers.count(known_as(recogniser, gallery, shown.strangers.embeddings), [None] * len(names), names)
    return {
        "new_known_rightly": new.known_rightly(),
        "new_known_wrongly": new.known_wrongly(),
        "others_known_rightly": before.known_rightly(),
        "strangers_known": strangers.known_wrongly(),
    }


def rightly(recogniser: Recogniser, gallery: Gallery, faces: Faces) -> Proportion:
    """How many of these faces are known rightly with this gallery."""
    counted = Counted.none()
    counted.count(known_as(recogniser, gallery, faces.embeddings), faces.names(), faces.names())
    return counted.known_rightly()


def only(faces: Faces, people: Sequence[int]) -> Faces:
    """The faces of these people, relabelled in this order."""
    places = np.flatnonzero(np.isin(faces.labels, people))
    order = {person: index for index, person in enumerate(people)}
    labels = np.array([order[int(label)] for label in faces.labels[places]], np.int64)
    names, pictures = (faces.people[person] for person in people), (faces.pictures[place] for place in places)
    return Faces(faces.embeddings[places], labels, tuple(names), tuple(pictures))

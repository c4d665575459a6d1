"""People added from few pictures, on directions whose answers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.gallery.gallery import Gallery, Person
from models.policy import Policy
from models.recogniser import Recogniser
from tools.evaluation.new_people import (
    Drawn,
    Shown,
    added,
    draws_of,
    known_as,
    only,
    rightly,
    with_people,
    without_people,
)
from tools.evaluation.open_set import Faces

AXES = np.eye(8, dtype=np.float32)


def faces(*whose: tuple[str, int], noise: float = 0.0) -> Faces:
    """A face (name, axis) each, alike in every view; ``noise``: how far its direction is off."""
    names = tuple(dict.fromkeys(name for name, _ in whose))
    off = np.random.default_rng(0).normal(size=(len(whose), 8)).astype(np.float32) * noise
    vectors = np.stack([AXES[axis] for _, axis in whose]) + off
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([names.index(name) for name, _ in whose])
    return Faces(np.repeat(vectors[:, None], 3, axis=1), labels, names, tuple(f"{n}.png" for n in range(len(whose))))


class Compared:
    """Tells faces by the nearest axis, with every view alike."""

    zones = ("eyewear", "lower_face")
    policy = Policy()

    def use_gallery(self, gallery: Gallery) -> None:
        self.gallery = gallery

    def compare(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        near = embeddings[:, 0] @ self.gallery.rows(0).T
        raw = np.where(near > 0.7, 0.95, 0.01).astype(np.float32)
        return raw, np.repeat(raw[:, None], 2, axis=1)


@pytest.fixture
def recogniser() -> Recogniser:
    return Compared()  # type: ignore[return-value]


@pytest.fixture
def start() -> Gallery:
    known = faces(("Ada", 0), ("Bob", 1))
    people = [Person.of(name, known.embeddings[n : n + 1], [name]) for n, name in enumerate(known.people)]
    return Gallery(tuple(people), "trunk", "cover", ("eyewear", "lower_face"))


def test_of_one_draw_the_pictures_for_a_smaller_count_are_among_those_for_a_larger_and_the_rest_is_shown() -> None:
    many = faces(*[("Cyd", 2)] * 6, *[("Dee", 3)] * 4)
    few, more = (draws_of(many, [0, 1], count, 3, 0, rest=True) for count in (1, 3))
    for small, large in zip(few, more, strict=True):
        for person in (0, 1):
            assert set(small.learnt[person]) < set(large.learnt[person])
        assert len(large.shown) == 3 + 1
        assert not set(large.shown) & {int(place) for places in large.learnt.values() for place in places}
    assert len({tuple(one.learnt[0]) for one in more}) > 1


def test_new_people_are_known_from_their_other_pictures_and_strangers_are_nobody(
    recogniser: Recogniser, start: Gallery
) -> None:
    new = faces(("Cyd", 2), ("Cyd", 2), ("Dee", 3), ("Dee", 4))
    drawn = [Drawn({0: np.array([0]), 1: np.array([2])}, np.array([1, 3]))]
    shown = Shown(new, faces(("Ada", 0), ("Bob", 0)), faces(("Eve", 3), ("Fay", 5), ("Gus", 6)))
    found = added(recogniser, start, new, drawn, shown)
    assert (found["new_known_rightly"]["right"], found["new_known_rightly"]["n"]) == (1, 2)
    assert found["new_known_wrongly"]["right"] == 0
    assert (found["others_known_rightly"]["right"], found["others_known_rightly"]["n"]) == (1, 2)
    assert (found["strangers_known"]["right"], found["strangers_known"]["n"]) == (1, 3)  # Eve looks like Dee
    assert found["strangers_known"]["over_people"]["people"] == 3


def test_people_who_are_taken_out_are_nobody_until_they_are_added_again(recogniser: Recogniser, start: Gallery) -> None:
    bob = faces(("Bob", 1))
    without = without_people(start, ["Bob"])
    assert known_as(recogniser, without, bob.embeddings) == [None]
    assert known_as(recogniser, with_people(without, bob, {0: np.array([0])}), bob.embeddings) == ["Bob"]
    assert rightly(recogniser, start, bob)["share"] == 1


def test_some_people_of_many_are_relabelled() -> None:
    every = faces(("Ada", 0), ("Bob", 1), ("Cyd", 2), ("Bob", 1))
    some = only(every, [2, 1])
    assert some.people == ("Cyd", "Bob")
    assert some.names() == ["Bob", "Cyd", "Bob"]
    assert replace(some, pictures=()).embeddings.shape == (3, 3, 8)

"""Rates of an open set of people, on embeddings whose answers are worked out by hand."""

import numpy as np

from models.gallery.gallery import Gallery, Person
from models.gallery.match import Matcher, Scale
from tools.evaluation.open_set import Faces, from_few_pictures, rates_of

EAST, NORTH = np.float32([1, 0, 0]), np.float32([0, 1, 0])
NO_COHORT = np.zeros((1, 0, 3), np.float32)


def between(share: float) -> np.ndarray:
    """A unit vector that lies ``share`` of the way from east to north, 90 degrees apart."""
    angle = share * np.pi / 2
    return np.float32([np.cos(angle), np.sin(angle), 0])


def two_people() -> Gallery:
    people = [Person.of(name, v[None, None], [name]) for name, v in (("East", EAST), ("North", NORTH))]
    return Gallery(tuple(people), "trunk", "cover", ())


def test_the_rate_at_one_percent_counts_known_faces_above_all_but_one_percent_of_the_strangers():
    matcher = Matcher(two_people(), NO_COHORT, Scale(0.1))
    strangers = np.stack([between(0.5 - 0.001 * step) for step in range(1, 101)])  # the surest at 0.4
    known = np.stack([between(0.1), between(0.39), between(0.3995), between(0.45), between(0.9)])
    labels = np.array([0, 0, 0, 0, 0])
    figures = rates_of(matcher.probabilities(known), labels, matcher.probabilities(strangers))
    assert figures["right"]["right"] == 4  # the last one is taken for North
    assert figures["dir_at_0.01"]["right"] == 3
    assert figures["right_while_no_stranger_is_named"]["right"] == 3
    assert figures["right"]["n"] == 5


def three_pictures_each() -> Faces:
    """Two people with three pictures, one with one."""
    vectors = np.stack([between(0), between(0.05), between(0.02), between(1), between(0.98), between(0.9), [0, 0, 1]])
    labels = np.array([0, 0, 0, 1, 1, 1, 2])
    pictures = tuple(f"{number}" for number in range(7))
    return Faces(np.float32(vectors)[:, None], labels, ("East", "North", "Up"), pictures)


def test_people_are_enrolled_from_few_pictures_and_probed_with_the_others():
    figures = from_few_pictures(three_pictures_each(), NO_COHORT, Scale(0.1), (1, 2, 3), like=two_people())
    assert figures["1"]["people"] == figures["2"]["people"] == 2
    assert figures["1"]["right"]["n"] == 4
    assert figures["2"]["right"]["n"] == 2
    assert figures["2"]["dir_at_0.01"]["share"] == 1
    assert "3" not in figures  # nobody has a fourth

"""Who attacks whom."""

from __future__ import annotations

import numpy as np
import pytest
from small_people import NAMES

from models.errors import BadInput
from tools.crafting.pairs import STRANGER, draw_pairs, index_of, labels_of
from tools.faces.people import People


def people_of(labels: list[int], names=("a", "b", "c")) -> People:
    count = len(labels)
    pictures = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    return People(names, pictures, np.array(labels), tuple(f"{i}" for i in range(count)))


def test_pairs_are_drawn_uniformly_among_correctly_classified_crops():
    people = people_of([0, 0, 1, 1, 2])

    def classify(crops):  # crop 1 is taken for b
        truth = np.array([0, 1, 1, 1, 2])
        return np.eye(3, dtype=np.float32)[truth[crops[:, 0, 0, 0]]]

    counts: dict[tuple[str, int], int] = {}
    for seed in range(400):
        (pair,) = draw_pairs(people, [0, 1, 2], classify, count=1, seed=seed, targets=range(3))
        key = (pair.pictures[0], pair.target)
        counts[key] = counts.get(key, 0) + 1
    assert set(counts) == {("0", 1), ("0", 2), ("2", 0), ("2", 2), ("3", 0), ("3", 2), ("4", 0), ("4", 1)}
    assert all(25 <= count <= 80 for count in counts.values())  # 50 expected, four deviations of 6.6


def test_no_pair_is_drawn_twice_and_no_more_than_there_are():
    people = people_of([0, 1])
    drawn = draw_pairs(people, [0, 1], lambda c: np.eye(2)[c[:, 0, 0, 0]], count=99, seed=1, targets=range(2))
    assert sorted((p.pictures[0], p.target) for p in drawn) == [("0", 1), ("1", 0)]


def test_an_empty_list_of_pairs_is_refused():
    with pytest.raises(BadInput, match="no pair to attack"):
        draw_pairs(people_of([0, 0]), [0], lambda c: np.eye(2)[[1] * len(c)], count=3, seed=0, targets=range(2))


def test_names_are_found_whatever_their_spelling():
    assert index_of("grace_hopper", NAMES, "target") == 1
    with pytest.raises(BadInput, match="it knows Grace Hopper"):
        index_of("Grace Kelly", NAMES, "target")
    with pytest.raises(BadInput, match="give strangers as --attackers"):
        labels_of(people_of([0]), NAMES, strangers=False)
    assert labels_of(people_of([0]), NAMES, strangers=True) == [STRANGER] * 3

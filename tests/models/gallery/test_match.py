"""Probabilities over people, and what is left for nobody."""

import time

import numpy as np
import pytest
from made_up import cohort, embeddings, gallery

from models.gallery.gallery import Gallery, Person, unit
from models.gallery.match import Matcher, Scale


def test_the_softmax_is_over_people_and_cohort_and_gives_the_people_s() -> None:
    ann = Person.of("Ann", np.array([[[1.0, 0.0]]], np.float32), ["a"])
    matcher = Matcher(Gallery((ann,), "t", "c", ()), np.array([[[0.0, 1.0]]], np.float32), Scale(0.5))
    # cosines 0.6 and 0.8, over 0.5: 1.2 and 1.6; e^1.2 = 3.3201, e^1.6 = 4.9530
    found = matcher.probabilities(np.array([[0.6, 0.8]], np.float32), 0)
    np.testing.assert_allclose(found, [[3.3201 / (3.3201 + 4.9530)]], rtol=1e-4)


def test_each_view_is_compared_with_its_own_means_and_cohort() -> None:
    people = gallery("Ann", "Bob")
    matcher = Matcher(people, cohort(), Scale(0.07))
    for view in range(3):
        found = matcher.probabilities(people.rows(view), view)
        assert (found.argmax(axis=1) == [0, 1]).all()
        assert (found.max(axis=1) > 0.9).all()


def test_a_stranger_s_probability_is_nobody_s() -> None:
    found = Matcher(gallery("Ann", "Bob"), cohort(), Scale(0.07)).probabilities(embeddings(77, 20)[:, 0], 0)
    assert found.sum(axis=1).max() < 0.5


def test_an_empty_gallery_names_nobody() -> None:
    assert Matcher(gallery(), cohort(), Scale(0.07)).probabilities(embeddings(1)[:, 0], 0).shape == (5, 0)


def test_five_thousand_people_and_a_tiny_temperature_stay_finite() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(5000, 1, 64)))
    people = tuple(Person.of(f"p{i}", rows[i : i + 1], [""]) for i in range(5000))
    found = Matcher(Gallery(people, "t", "c", ()), cohort(2500, views=0, size=64), Scale(0.001)).probabilities(
        rows[:8, 0]
    )
    np.testing.assert_allclose(found[np.arange(8), np.arange(8)], 1, rtol=1e-5)
    assert np.isfinite(found).all()
    assert found.sum(axis=1).max() <= 1.0001


def test_matching_a_thousand_people_takes_no_visible_time() -> None:
    rows = unit(np.random.default_rng(0).normal(size=(1000, 1, 256)))
    people = tuple(Person.of(f"p{i}", rows[i : i + 1], [""]) for i in range(1000))
    matcher = Matcher(Gallery(people, "t", "c", ()), cohort(2500, views=0, size=256), Scale(0.07))
    taken = []
    for _ in range(30):
        started = time.perf_counter()
        matcher.probabilities(rows[0])
        taken.append(time.perf_counter() - started)
    assert min(taken) < 0.02  # alone on a machine at most 0.001; tests share theirs


@pytest.mark.parametrize("broken", [cohort(views=1), cohort(size=8), cohort()[0]])
def test_a_cohort_of_other_views_or_lengths_is_refused(broken: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cohort"):
        Matcher(gallery("Ann"), broken, Scale(0.07))


def test_nobodys_share_grows_with_the_gallery_as_the_scale_says() -> None:
    people, scale = gallery("Ann", "Bob", "Cem"), Scale(0.5, crowd=0.5, crowd_of=12)
    faces = embeddings(3)[:, 0]
    plain = Matcher(people, cohort(), Scale(0.5)).logits(faces).astype(np.float64)
    powers = np.exp(plain)
    nobody = powers[:, 3:].sum(axis=1) * (3 / 12) ** 0.5
    expected = powers[:, :3] / (powers[:, :3].sum(axis=1) + nobody)[:, None]
    np.testing.assert_allclose(Matcher(people, cohort(), scale).probabilities(faces), expected, rtol=1e-4)


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"temperature": 1.0, "crowd_of": 0}])
def test_a_scale_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Scale(**wrong)

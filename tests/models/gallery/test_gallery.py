"""Changing people: what a mean is, and that names are one in whatever form."""

import numpy as np
import pytest
from made_up import DAY, embeddings, gallery, person

from models.errors import BadInput
from models.gallery.gallery import Gallery, Person, as_bytes, unit


def test_a_person_is_the_mean_of_their_pictures_in_each_view() -> None:
    found = Person.of("Ann", np.eye(3, dtype=np.float32)[[0, 1]][:, None, :].repeat(2, axis=1), ["a", "b"], added=DAY)
    np.testing.assert_allclose(found.means, [[0.5**0.5, 0.5**0.5, 0]] * 2, rtol=1e-6)
    assert (found.counts, found.vectors.tolist(), found.added) == (2, [[127, 0, 0], [0, 127, 0]], "2026-11-30")


def test_eight_bits_keep_a_picture_s_direction() -> None:
    vectors = embeddings(1)[:, 0]
    assert (np.einsum("pd,pd->p", unit(as_bytes(vectors)), vectors) > 0.9999).all()


def test_merging_weights_means_by_counts() -> None:
    one, other = (np.array([[row]], np.float32) for row in ([1.0, 0.0], [0.0, 1.0]))
    three = Person.of("Ann", one.repeat(3, axis=0), ["a", "b", "c"])
    people = Gallery((three, Person.of("Anne", other, ["d"])), "t", "c", ()).merge("Ann", "Anne")
    np.testing.assert_allclose(people.rows(0), [[3 / 10**0.5, 1 / 10**0.5]], rtol=1e-6)
    assert (people.labels, people.people[0].counts, people.people[0].digests) == (("Ann",), 4, ("a", "b", "c", "d"))


def test_a_picture_that_both_have_counts_once() -> None:
    twice = person("Ann", 1).with_pictures_of(person("Ann", 1))
    assert (twice.counts, len(twice.vectors)) == (5, 5)


def test_every_change_gives_a_new_gallery() -> None:
    before = gallery("Ann", "Bob")
    after = before.add(person("Cid", 7)).rename("Bob", "Rob").remove("ann")
    assert (before.labels, after.labels) == (("Ann", "Bob"), ("Rob", "Cid"))


def test_rows_are_everybody_in_one_view() -> None:
    people = gallery("Ann", "Bob")
    np.testing.assert_array_equal(people.rows(2)[1], people.people[1].means[2])
    with pytest.raises(ValueError, match="view 3"):
        people.rows(3)


@pytest.mark.parametrize("other", ["JOSÉ", "jose\u0301", " José ", "José"])
def test_a_name_is_the_same_in_whatever_case_and_unicode_form(other: str) -> None:
    people = gallery("José")
    assert people.find(other) is people.people[0]
    with pytest.raises(BadInput, match="is there already"):
        people.add(person(other, 5))


def test_more_pictures_join_whoever_is_there_under_that_name() -> None:
    assert gallery("Ann").add(person("ANN", 5, 3), join=True).people[0].counts == 8


def test_somebody_may_be_renamed_to_another_spelling_but_not_to_somebody_else() -> None:
    assert gallery("ann").rename("ann", "Ann").labels == ("Ann",)
    with pytest.raises(BadInput, match="make the two one with merge"):
        gallery("Ann", "Bob").rename("Ann", "BOB")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("../../etc", "without slashes"),
        ("a\\b", "without slashes"),
        ("a\x00b", "control character"),
        ("a\nb", "control character"),
        ("nnA\u202e", "control character"),
        (".hidden", "begins with a dot"),
        ("x" * 101, "at most 100"),
    ],
)
def test_what_is_no_name_is_refused_in_clear_words(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        person(name, 1)


def test_who_is_not_there_is_said_with_who_is_near() -> None:
    with pytest.raises(BadInput, match="Ann: nobody has that name; there is Anna, Joanne"):
        gallery("Anna", "Bob", "Joanne").remove("Ann")


def test_nobody_is_merged_with_themselves() -> None:
    with pytest.raises(BadInput, match="two different people"):
        gallery("Ann").merge("Ann", "ANN")


def test_a_picture_of_somebody_else_is_taken_out_of_every_mean() -> None:
    own, other = (np.random.default_rng(seed).normal(size=(1, 1, 64)) for seed in (1, 2))
    noise = np.random.default_rng(3).normal(size=(5, 3, 64))
    pictures = unit(np.concatenate([np.repeat(own, 4, axis=0), other]) + 0.3 * noise)
    right = Person.of("Ann", pictures[:4], list("abcd"))
    mixed = Person.of("Ann", pictures, list("abcde"))
    mended = Gallery((mixed,), "t", "c", ("eyes", "mouth")).without_picture("ann", "e").people[0]
    assert (mended.counts, mended.digests) == (4, ("a", "b", "c", "d"))
    before, after = (np.einsum("vd,vd->v", one.means, right.means) for one in (mixed, mended))
    assert after[0] > 0.9999  # the whole face's is made anew
    assert (after > before + 0.01).all()


def test_the_only_picture_and_one_that_is_not_there_stay() -> None:
    one = Gallery((Person.of("Ann", embeddings(1)[:1], ["a"]),), "t", "c", ("eyes",) * (embeddings(1).shape[1] - 1))
    with pytest.raises(BadInput, match="the only picture"):
        one.without_picture("Ann", "a")
    with pytest.raises(BadInput, match="has no picture b"):
        one.without_picture("Ann", "b")

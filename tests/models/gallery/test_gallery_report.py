"""What the pictures of a gallery say: by hand, on people who are directions."""

from dataclasses import replace

import numpy as np
from made_up import cohort, embeddings, gallery, person

from models.gallery.gallery import Gallery, Person
from models.gallery.match import Scale
from models.gallery.report import report_on

COHORT = cohort()[0]


def test_pictures_that_fit_are_right_and_nothing_is_said() -> None:
    found = report_on(gallery("Ann", "Bob"), COHORT, Scale(0.07), 0.5)
    assert (found.right, found.tried) == (10, 10)
    assert (found.misfits, found.lookalikes, found.duplicates) == ((), (), ())
    assert (found.strangers, found.strangers_named) == (200, 0)


def test_a_picture_of_somebody_else_is_named_with_whom_it_fits() -> None:
    ann, bob = person("Ann", 1), person("Bob", 2)
    stray = Person.of("Ann", embeddings(2, 6)[5:], ["stray"])
    people = Gallery((ann.with_pictures_of(stray), bob), "t", "c", ("eyewear", "lower_face"))
    (misfit,) = report_on(people, COHORT, Scale(0.07), 0.5).misfits
    assert (misfit.name, misfit.picture, misfit.digest, misfit.instead) == ("Ann", 5, "stray", "Bob")


def test_a_picture_of_nobody_here_fits_nobody() -> None:
    stray = Person.of("Ann", embeddings(50, 1), ["stray"])
    people = Gallery((person("Ann", 1).with_pictures_of(stray), person("Bob", 2)), "t", "c", ("eyewear", "lower_face"))
    (misfit,) = report_on(people, COHORT, Scale(0.07), 0.5).misfits
    assert (misfit.digest, misfit.instead) == ("stray", None)


def test_the_same_pictures_under_two_names_are_duplicates_and_look_alike() -> None:
    people = Gallery((person("Ann", 1), person("Anna", 1), person("Bob", 2)), "t", "c", ("eyewear", "lower_face"))
    found = report_on(people, COHORT, Scale(0.07), 0.5)
    assert {(one.first[0], one.second[0], one.across, one.exact) for one in found.duplicates} == {
        ("Ann", "Anna", True, True)
    }
    assert {(one.name, one.other) for one in found.lookalikes} == {("Ann", "Anna"), ("Anna", "Ann")}


def test_the_same_picture_in_another_file_is_found_by_its_vector() -> None:
    ann = person("Ann", 1)
    again = replace(ann, vectors=np.concatenate([ann.vectors, ann.vectors[:1]]), digests=(*ann.digests, "other"))
    (found,) = report_on(Gallery((again,), "t", "c", ("eyewear", "lower_face")), COHORT, Scale(0.07), 0.5).duplicates
    assert (found.first, found.second, found.exact) == (("Ann", 0), ("Ann", 5), False)


def test_one_picture_has_nothing_to_be_compared_with() -> None:
    found = report_on(gallery("Ann", pictures=1), COHORT, Scale(0.07), 0.5)
    assert (found.tried, found.people[0].pictures) == (0, 1)


def test_the_cohort_s_own_pictures_are_named_where_they_are_enrolled() -> None:
    enrolled = Person.of("Ann", COHORT[:1, None, :].repeat(3, axis=1), ["a"])
    found = report_on(Gallery((enrolled,), "t", "c", ("eyewear", "lower_face")), COHORT, Scale(0.07), 0.5)
    assert found.strangers_named == 1


def test_nobody_has_an_empty_report() -> None:
    assert report_on(gallery(), COHORT, Scale(0.07), 0.5).people == ()

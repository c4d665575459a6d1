"""Changing who is known: nothing is lost, nothing is added in silence."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_people import embed, face, faces

from models.bundle import load_bundle
from models.errors import BadInput
from realtime.people.people import People

OTHERS = ("Person 0", "Person 1", "Person 2", "Person 3")


def add(people: People, name: str, person: int, count: int = 5, **how: bool) -> object:
    return people.add(name, faces(person, count), embed, consent="2026-11-30, said so", **how)


def test_before_the_first_change_the_bundle_s_people_are_known(people: People) -> None:
    assert people.gallery().labels == OTHERS
    assert not people.store.path.exists()


def test_the_first_person_joins_them_or_is_alone_from_scratch(people: People) -> None:
    add(people, "Ann", 1)
    assert people.gallery().labels == (*OTHERS, "Ann")
    alone = People(people.store.path.with_name("own.npz"), people.bundle, from_scratch=True)
    add(alone, "Ann", 1)
    assert alone.gallery().labels == ("Ann",)
    with pytest.raises(BadInput, match="holds people already"):
        People(alone.store.path, people.bundle, from_scratch=True)


def test_consent_and_its_date_are_kept(people: People) -> None:
    add(people, "Ann", 1)
    assert people.gallery().person("Ann").consent == "2026-11-30, said so"


def test_the_report_leaves_each_new_picture_out_once(people: People) -> None:
    added = people.add("Ann", faces(1, 5), embed, consent="yes")
    assert (added.trial.tried, added.trial.known) == (5, 5)
    one = people.add("Bob", faces(2, 1), embed, consent="yes")
    assert (one.pictures, one.trial.tried) == (1, 0)
    more = people.add("Bob", [face(2, 7)], embed, consent="yes", more=True)
    assert (more.trial.tried, more.trial.known) == (1, 1)  # now there is another one to compare it with


def test_a_picture_of_somebody_else_among_hers_is_said(people: People) -> None:
    add(people, "Bob", 2)
    mixed = people.add("Ann", [*faces(1, 5), face(2, 9)], embed, consent="yes")
    (misfit,) = mixed.report.misfits
    assert (misfit.instead, misfit.digest) == ("Bob", face(2, 9).digest)
    assert mixed.trial.taken_for == ("Bob",)


def test_the_same_person_twice_is_refused_and_anyway_is_said(people: People) -> None:
    add(people, "Ann", 1)
    with pytest.raises(BadInput, match="are Ann's already; rename or merge"):
        add(people, "Anna", 1)
    added = people.add("Anna", faces(1, 5), embed, consent="yes", anyway=True)
    assert {one.across for one in added.report.duplicates} == {True}
    assert {(one.name, one.other) for one in added.report.lookalikes} == {("Ann", "Anna"), ("Anna", "Ann")}


def test_a_name_that_is_taken_wants_more_and_more_wants_somebody(people: People) -> None:
    add(people, "Ann", 1)
    with pytest.raises(BadInput, match="add pictures to them with --more"):
        add(people, "ann", 9)
    with pytest.raises(BadInput, match="nobody has that name"):
        add(people, "Cid", 3, more=True)
    with pytest.raises(BadInput, match="are there already; give others"):
        add(people, "ANN", 1, more=True)


def test_no_face_is_said_and_nothing_is_written(people: People) -> None:
    with pytest.raises(BadInput, match="no picture can be used"):
        people.add("Ann", [], embed, consent="yes")
    assert not people.store.path.exists()


def test_crops_are_kept_only_where_asked_for_and_go_with_the_person(people: People) -> None:
    add(people, "Ann", 1)
    assert not people.kept.folder.exists()
    add(people, "Bob", 2, keep=True)
    crops, digests = people.kept.crops(people.gallery().person("Bob"))
    np.testing.assert_array_equal(crops[0], face(2, 0).crop)
    assert len(digests) == 5
    people.rename("Bob", "Rob")
    assert len(people.kept.files(people.gallery().person("Rob"))) == 5
    people.remove("Rob")
    assert not list(people.kept.folder.iterdir())


def test_a_full_disk_keeps_neither_person_nor_crops(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    add(people, "Ann", 1, keep=True)
    before = people.store.digest()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        add(people, "Bob", 2, keep=True)
    assert people.store.digest() == before
    assert len(list(people.kept.folder.iterdir())) == 5


def test_undo_takes_back_even_the_first_change(people: People) -> None:
    with pytest.raises(BadInput, match="nothing was changed yet"):
        people.undo()
    add(people, "Ann", 1)
    assert people.undo().labels == OTHERS


def test_somebody_of_the_bundle_can_be_removed_for_good_at_once(people: People) -> None:
    assert people.remove("person 2", for_good=True).labels == ("Person 0", "Person 1", "Person 3")
    assert all(people.store.__class__(state).read().find("Person 2") is None for state in people.store.states())


def test_another_gallery_is_taken_in_unless_it_is_of_another_network(people: People, tmp_path: Path) -> None:
    other = People(tmp_path / "other.npz", people.bundle, from_scratch=True)
    other.add("Ann", faces(1, 3), embed, consent="yes")
    assert people.take_in(other.gallery(), "other.npz").labels == (*OTHERS, "Ann")
    with pytest.raises(BadInput, match=r"other.npz: was made with another trunk"):
        people.take_in(replace(other.gallery(), trunk="0" * 64), "other.npz")


def test_a_gallery_of_another_network_is_made_anew_from_kept_crops(people: People) -> None:
    add(people, "Ann", 1, keep=True)
    add(people, "Bob", 2)
    people.store.change(lambda found: replace(found, trunk="0" * 64))
    with pytest.raises(BadInput, match="was made with another trunk"):
        add(people, "Cid", 3)
    done, lost = people.refresh(embed)
    assert (done, lost) == (["Ann"], [*OTHERS, "Bob"])
    assert people.gallery().labels == ("Ann",)


def test_a_closed_set_takes_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="knows a closed set of people"):
        People(tmp_path / "p.npz", load_bundle("plain"))

"""A changed gallery is known within two seconds, a damaged one leaves the people as they are."""

import time
from pathlib import Path
from typing import Any

import pytest
from made_up_people import embed, faces

from models.gallery.gallery import Gallery
from realtime.people.follow import GalleryFollower
from realtime.people.people import People


class Recogniser:
    """Notes whom it is told to know."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.labels = people.gallery().labels

    def use_gallery(self, gallery: Gallery) -> None:
        self._people.bundle.check_gallery(gallery)
        self.labels = gallery.labels


@pytest.fixture
def recogniser(people: People) -> Any:
    return Recogniser(people)


def test_a_new_person_is_known_within_two_seconds(people: People, recogniser: Any) -> None:
    with GalleryFollower(recogniser, people.store.path) as follower:
        people.add("Ann", faces(1, 3), embed, consent="yes")
        until = time.monotonic() + 2
        while "Ann" not in recogniser.labels and time.monotonic() < until:
            time.sleep(0.02)
    assert recogniser.labels[-1] == "Ann"
    assert follower.taken_up == 1


def test_a_change_between_loading_and_following_is_not_missed(people: People, recogniser: Any) -> None:
    people.add("Ann", faces(1, 3), embed, consent="yes")
    assert GalleryFollower(recogniser, people.store.path).look()
    assert recogniser.labels[-1] == "Ann"


def test_a_damaged_file_changes_nobody(people: People, recogniser: Any, caplog: pytest.LogCaptureFixture) -> None:
    people.add("Ann", faces(1, 3), embed, consent="yes")
    follower = GalleryFollower(recogniser, people.store.path)
    before = recogniser.labels
    people.store.path.write_bytes(b"half")
    assert not follower.look()
    assert recogniser.labels == before
    assert "the people stay as they were" in caplog.text
    people.undo()
    assert follower.look()


def test_nothing_is_followed_where_there_is_no_file(recogniser: Any) -> None:
    with GalleryFollower(recogniser, None) as follower:
        assert not follower.look()
    assert not GalleryFollower(recogniser, Path("/nowhere/people.npz")).look()

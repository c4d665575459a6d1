"""A person's pictures taken one by one, over HTTP."""

import errno
import os
import time

import pytest
from asking_page import TOKEN, ask
from made_up_desk import call, jpeg, marked

from realtime.people.sitting import WANTED
from realtime.types import Frame

pytestmark = pytest.mark.usefixtures("nobody_yet")
BEGIN = "/api/gallery/sittings"


@pytest.fixture
def begun(sat):
    """The address of a sitting for Ada."""
    status, answer = call(sat, "POST", BEGIN, {"name": "Ada", "consent": True})
    assert (status, answer["missing"]) == (201, WANTED)
    return f"{BEGIN}/{answer['id']}"


def show(sat, sitting, pose, number=0, **query):
    asked = "&".join(f"{key}={value}" for key, value in {"name": f"{pose}.jpg", **query}.items())
    return call(sat, "POST", f"{sitting}/pictures?{asked}", body=jpeg(marked(pose, number)))[1]


def names(page):
    return [one["name"] for one in call(page, "GET", "/api/gallery")[1]["people"]]


def test_each_look_that_is_missing_is_asked_for_until_there_are_enough(sat, begun):
    for number, pose in enumerate(("straight", "left", "right", "up", "straight")):
        answer = show(sat, begun, pose, number)
        assert answer["picture"]["pose"] == pose, answer
    assert answer["missing"] == {}
    assert ask(sat, f"{begun}/pictures/1", x_api_key=TOKEN).content[:4] == b"\x89PNG"
    status, learnt = call(sat, "POST", f"{begun}/finish", {})
    assert (status, learnt["pictures"]) == (201, 5)
    assert "Ada" in names(sat)


def test_an_answer_that_was_lost_is_given_again_and_nothing_is_learnt_twice(sat, begun):
    show(sat, begun, "straight")
    first = call(sat, "POST", f"{begun}/finish", {})
    assert call(sat, "POST", f"{begun}/finish", {}) == first
    assert names(sat).count("Ada") == 1


def test_a_page_that_goes_away_leaves_nothing(sat, begun, people):
    before = people.store.digest()
    show(sat, begun, "straight")
    call(sat, "DELETE", begun)
    status, answer = call(sat, "POST", f"{begun}/finish", {})
    assert (status, "nothing of it was kept" in answer["error"]) == (404, True)
    assert people.store.digest() == before


def test_what_is_wrong_with_a_picture_is_said_and_it_does_not_count(sat, begun):
    assert show(sat, begun, "nobody")["picture"]["reason"] == "no face found"
    show(sat, begun, "straight")
    again = show(sat, begun, "straight")
    assert again["picture"]["reason"] == "the same picture is there already"
    assert len(again["good"]) == 1
    show(sat, begun, "straight", 1)
    assert show(sat, begun, "straight", 2, moving="yes")["picture"]["reason"] == "enough that look straight"
    broken = call(sat, "POST", f"{begun}/pictures?name=b.jpg", body=b"\xff\xd8half")[1]
    assert "cut short" in broken["picture"]["reason"]


def test_a_picture_can_be_taken_out_again(sat, begun):
    number = show(sat, begun, "left")["picture"]["number"]
    assert call(sat, "DELETE", f"{begun}/pictures/{number}")[1]["missing"] == WANTED
    assert call(sat, "DELETE", f"{begun}/pictures/{number}")[0] == 404


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "Ada"}, "consent"),
        ({"name": "a/b", "consent": True}, "without slashes"),
        ({"name": "a\x07b", "consent": True}, "control character"),
        ({"name": "person 1", "consent": True}, "is there already"),
        ({"name": "Nobody", "consent": True, "more": True}, "nobody has that name"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_before_a_picture_is_taken(sat, given, said):
    status, answer = call(sat, "POST", BEGIN, given)
    assert (status, said in answer["error"]) == (400, True)


def test_a_running_camera_is_looked_through_unless_its_picture_is_old(sat, begun):
    pictures, now = sat.moving.pictures, time.monotonic()
    picture = marked("right")
    pictures.show(Frame("garden", 1, picture, now, time.time()), picture)
    answer = call(sat, "POST", f"{begun}/look", {"camera": "garden"})[1]
    assert answer["picture"]["pose"] == "right"
    pictures.show(Frame("garden", 2, picture, now - 5, time.time()), picture)
    answer = call(sat, "POST", f"{begun}/look", {"camera": "garden"})[1]
    assert answer["picture"]["reason"] == "this camera has no picture of this moment"
    pictures.show(Frame("garden", 3, picture, time.monotonic(), time.time(), drill=True), picture)
    answer = call(sat, "POST", f"{begun}/look", {"camera": "garden"})[1]
    assert "a drill is on" in answer["picture"]["reason"]
    answer = call(sat, "POST", f"{begun}/look", {"camera": "attic"})[1]
    assert answer["picture"]["number"] is None


def test_a_full_disk_is_said_and_the_sitting_can_be_finished_later(sat, begun, people, monkeypatch):
    show(sat, begun, "straight")
    before = people.store.digest()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        status, answer = call(sat, "POST", f"{begun}/finish", {})
    assert (status, "No space left" in answer["error"]) == (400, True)
    assert people.store.digest() == before
    assert call(sat, "POST", f"{begun}/finish", {})[0] == 201


def test_pictures_that_are_somebody_else_s_are_learnt_only_when_that_is_said_once_more(sat, begun):
    show(sat, begun, "straight")
    call(sat, "POST", f"{begun}/finish", {})
    other = f"{BEGIN}/{call(sat, 'POST', BEGIN, {'name': 'Countess', 'consent': True})[1]['id']}"
    show(sat, other, "straight")
    status, answer = call(sat, "POST", f"{other}/finish", {})
    assert (status, "are Ada's already" in answer["error"], "--" in answer["error"]) == (400, True, False)
    assert "Countess" not in names(sat)
    assert call(sat, "POST", f"{other}/finish", {"anyway": True})[0] == 201
    assert {"Ada", "Countess"} <= set(names(sat))

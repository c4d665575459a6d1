"""An event's life: it starts, goes on, and ends."""

import time

import pytest
from sightings import attack, frame, sighting, stored

from realtime.outputs.events.lives import ENDS_AFTER, UPDATE_EVERY, Lives
from realtime.outputs.events.store import EventStore


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lives(clock):
    lives = Lives(clock)
    lives.begin("k", "door", ("suspected_attack", attack(now=0.0), None), 1000.0, 0.0)
    lives.stored("k", 7)
    return lives


def feed(lives, clock, moments, *sightings_of):
    for moment in moments:
        clock.now = 100.0 + moment
        lives.seen("door", [make(moment) for make in sightings_of], 1000.0 + moment, moment)


def test_an_alarm_that_goes_on_is_updated_now_and_then_and_counts_its_looks(lives, clock):
    feed(lives, clock, [1.0, 2.0, 3.0], lambda now: attack(now=now))
    assert lives.due() == []  # not yet again
    feed(lives, clock, [4.0, UPDATE_EVERY], lambda now: attack(now=now))
    (one,) = lives.due()
    assert (one.event_id, one.last_seen, one.looks, one.ended) == (7, 1000.0 + UPDATE_EVERY, 6, False)
    assert lives.due() == []


def test_it_ends_when_the_face_is_gone_or_is_taken_for_something_else(lives, clock):
    feed(lives, clock, [1.0], lambda now: attack(now=now))
    feed(lives, clock, [2.0, 1.0 + ENDS_AFTER], lambda now: sighting(name="Bob", now=now))
    (one,) = lives.due()
    assert (one.last_seen, one.ended) == (1001.0, True)
    feed(lives, clock, [9.0], lambda now: attack(now=now))
    assert lives.due() == []


def test_of_a_shared_name_it_ends_when_one_is_left(clock):
    lives = Lives(clock)
    two = [lambda now: sighting(track_id=1, now=now), lambda now: sighting(track_id=2, box=(9, 9, 60, 60), now=now)]
    lives.begin("k", "door", ("same_name_twice", two[0](0.0), two[1](0.0)), 1000.0, 0.0)
    lives.stored("k", 1)
    feed(lives, clock, [1.0], *two)
    feed(lives, clock, [1.0 + ENDS_AFTER], two[0])
    (one,) = lives.due()
    assert (one.last_seen, one.ended) == (1001.0, True)


def test_a_camera_that_gives_no_pictures_any_more_ends_what_it_showed(lives, clock):
    clock.now += 31.0
    assert [one.ended for one in lives.due()] == [True]


def test_a_stored_event_knows_its_looks_and_its_end(open_log):
    log = open_log(deliver_to=["house", "hook"], tell_ends=["house"])
    for step in range(4):
        (event,) = stored(log, attack(now=float(step) / 4), now=step / 4, wall_time=2000.0 + step / 4)
    assert event.phase in ("start", "update")
    log.close()
    store = EventStore(log.store.folder, owner=False)
    (event,) = store.query()
    assert (event.phase, event.looks, event.ended_at) == ("end", 4, 2000.75)
    assert event.as_dict()["ended"].startswith("1970-01-01T00:33:20.75")
    targets = [target for (target,) in store.rows("SELECT target FROM outbox ORDER BY id")]
    assert sorted(targets[:2]) == ["hook", "house"]
    assert targets[2:] == ["house"]
    store.close()


def test_what_went_on_when_the_program_was_killed_has_ended_at_the_next_start(open_log):
    log = open_log()
    stored(log, attack())
    log.close()
    store = EventStore(log.store.folder)
    store.rows("UPDATE events SET ended_at = NULL, last_seen = 1234.5")
    store.close()
    again = EventStore(log.store.folder)
    assert [event.ended_at for event in again.query()] == [1234.5]
    again.close()


def test_where_in_a_file_something_happened_is_kept(open_log):
    from dataclasses import replace

    log = open_log()
    log.offer(replace(frame(wall_time=time.time()), file_time=4.2), [attack(now=4.2)], 4.2)
    assert log.flush()
    assert [event.clip_at for event in log.query()] == [4.2]

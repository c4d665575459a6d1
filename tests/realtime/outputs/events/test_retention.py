import json
import time
from dataclasses import replace

import pytest
from sightings import attack, sighting, stored, stranger

from realtime.outputs.events import retention
from realtime.outputs.events.types import EventSettings

LEFT, RIGHT = (10, 80, 60, 140), (200, 80, 260, 140)


def aged(log, **days):
    """As if events had been stored so many days ago: ``aged(log, e1=40)``."""
    for event, age in days.items():
        log.store.rows("UPDATE events SET kept_since = kept_since - ? WHERE id = ?", (age * 86400, int(event[1:])))


def said(caplog):
    return [record.getMessage().partition(": ")[2] for record in caplog.records if "deleted" in record.getMessage()]


def test_old_events_go_and_so_do_their_files_and_it_is_said_why(open_log, caplog):
    log = open_log()
    for number in (1, 2):
        stored(log, attack(track_id=number))
    aged(log, e1=40, e2=20)
    assert retention.prune(log.store, EventSettings(max_age_days=30, min_free_bytes=0)) == 1
    assert [event.id for event in log.query()] == [2]
    assert len(list(log.store.pictures.glob("??/*"))) == 1
    assert said(caplog) == [
        "deleted 1 events, numbers 1 to 1, 1 of them attacks or shared names that nobody acknowledged: "
        "older than 30 days (max_age_days)"
    ]


def test_for_room_only_pictures_of_acknowledged_events_go_the_oldest_first(open_log, caplog):
    log = open_log()
    for number in range(1, 7):
        stored(log, attack(track_id=number) if number % 2 else stranger(track_id=number))
    for number in (1, 2, 5):
        log.acknowledge(number)
    size = log.store.rows("SELECT max(bytes) FROM events")[0][0]
    for most, with_pictures in ((4.5, [3, 4, 5, 6]), (0, [3, 4, 6])):
        retention.prune(log.store, EventSettings(max_bytes=int(most * size), min_free_bytes=0))
        assert [event.id for event in reversed(log.query()) if event.pictures] == with_pictures
        assert len(log.query()) == 6
        assert len(list(log.store.pictures.glob("??/*"))) == len(with_pictures)
    assert said(caplog) == [
        "deleted the pictures of 2 acknowledged events, numbers 1 to 2: more than max_gigabytes",
        "deleted the pictures of 1 acknowledged events, numbers 5 to 5: more than max_gigabytes",
    ]


def test_when_another_program_fills_the_disk_nothing_that_was_not_acknowledged_goes(open_log, caplog):
    log = open_log()
    for number in range(4):
        stored(log, attack(track_id=number) if number % 2 else stranger(track_id=number))
    kept = sorted(log.store.pictures.rglob("*.*"))
    assert retention.prune(log.store, EventSettings(min_free_bytes=2**62)) == 0
    assert sorted(log.store.pictures.rglob("*.*")) == kept
    assert said(caplog) == []


def test_a_crowd_of_strangers_leaves_room_for_the_pictures_of_an_attack(open_log):
    log = open_log()
    stored(log, stranger(track_id=1))
    size = log.store.rows("SELECT bytes FROM events")[0][0]
    log.settings = replace(log.settings, max_bytes=5 * size + size // 2)
    for number in range(2, 12):
        stored(log, stranger(track_id=number))
    pictured = sum(bool(event.pictures) for event in log.query())
    assert pictured == 4
    assert stored(log, attack(track_id=12))[0].pictures
    assert log.counts()["without_pictures"] == 7


@pytest.mark.parametrize("days", [60, -60, -20_000], ids=["ahead", "behind", "1970"])
def test_a_clock_that_is_wrong_for_one_start_deletes_nothing(open_log, monkeypatch, days):
    right = time.time
    log = open_log()
    stored(log, attack(track_id=1))
    log.close()
    for start, offset in ((2, days), (3, 0)):
        monkeypatch.setattr(time, "time", lambda offset=offset: right() + offset * 86400)
        log = open_log()
        stored(log, attack(track_id=start))
        for _ in range(3):
            log.store.tick(86400)
            assert retention.prune(log.store, log.settings) == 0
        log.close()
    assert [event.id for event in open_log().query()] == [3, 2, 1]


def test_events_that_were_stored_without_pictures_are_not_deleted_for_room_that_they_do_not_take(open_log):
    log = open_log(min_free_bytes=2**62, deliver_to=["webhook"])
    for number in range(6):
        stored(log, attack(track_id=number), wall_time=time.time())
    retention.prune(log.store, log.settings)
    assert len(log.query()) == 6
    assert log.store.rows("SELECT count(*) FROM outbox") == [(6,)]


def test_a_forgotten_person_leaves_no_trace_on_disk(open_log):
    log = open_log()
    name = "Zacharias Unforgettable"
    stored(log, sighting(name=name, track_id=1, box=LEFT), attack(claimed="Ada", likely="Bob", track_id=2, box=RIGHT))
    stored(log, attack(claimed=name, track_id=3, now=1.0), now=1.0)
    vectors = {
        "labels": ["Ada", name, "Bob"],
        "raw": [0.75, 0.25, 0.0],
        "masked": None,
        "zones": ["eyewear", "lower_face"],
        "views": [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]],
    }
    log.store.rows(
        "UPDATE events SET probabilities = ? WHERE claimed = 'Ada'",
        (json.dumps(vectors),),
    )
    assert retention.forget_person(log.store, name) == 2
    (left,) = log.query()
    assert left.claimed == "Ada"
    assert left.probabilities == {
        "labels": ["Ada", "Bob"],
        "raw": [0.75, 0.0],
        "masked": None,
        "zones": ["eyewear", "lower_face"],
        "views": [[0.5, 0.25], [0.125, 0.125]],
    }
    assert left.pictures == ("before", "saliency", "mask", "after")  # the frame showed the person as a bystander
    assert name not in {person["name"] for person in log.people()}
    for file in log.store.folder.rglob("*"):
        assert not (file.is_file() and name.encode() in file.read_bytes()), file
    assert len(list(log.store.pictures.glob("*/*"))) == 1

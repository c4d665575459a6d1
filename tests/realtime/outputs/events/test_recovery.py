"""A log of the version before is opened: nothing is lost, and its events are as old as can be known."""

import contextlib
import sqlite3
import time

import pytest
from sightings import attack, stored

from realtime.outputs.events import retention
from realtime.outputs.events.store import EventStore

DAY = 86_400.0


@pytest.fixture
def old(open_log):
    """Makes a log of version 1 with events of these ages in days; None: of 1970."""

    def made(*ages):
        log = open_log()
        for number, age in enumerate(ages):
            stored(log, attack(track_id=number), wall_time=1000.0 if age is None else time.time() - age * DAY)
        log.close()
        with contextlib.closing(sqlite3.connect(log.store.folder / "events.sqlite")) as connection, connection:
            for column in ("last_seen", "ended_at", "looks", "note", "clip_at"):
                connection.execute(f"ALTER TABLE events DROP COLUMN {column}")
            for change in ("ALTER TABLE events DROP COLUMN kept_since", "DROP TABLE clock", "DROP TABLE erasing"):
                connection.execute(change)
            connection.execute("PRAGMA user_version = 1")
        return log.store.folder

    return made


def ages(store):
    return [round((store.now() - kept) / DAY) for (kept,) in store.rows("SELECT kept_since FROM events ORDER BY id")]


def test_events_of_the_version_before_keep_their_age_and_their_pictures(old):
    folder = old(20, 5, 0)
    reader = EventStore(folder, owner=False, write=False)
    assert len(reader.query()) == 3
    reader.close()
    for _ in range(2):
        store = EventStore(folder)
        assert ages(store) == [20, 5, 0]
        assert [len(event.pictures) for event in store.query()] == [5, 5, 5]
        assert store.rows("PRAGMA user_version") == [(3,)]
        store.close()


def test_events_of_a_clock_that_was_wrong_are_not_older_than_the_others(old, open_log):
    folder = old(None, 3, -60)  # without a clock, right, 60 days ahead
    log = open_log()
    assert log.store.folder == folder
    assert ages(log.store) == [0, 3, 0]
    log.store.tick(DAY)
    assert retention.prune(log.store, log.settings) == 0


def test_weeks_after_the_last_event_the_clock_has_to_prove_itself_first(old, open_log):
    old(40)
    log = open_log()
    log.store.tick(DAY)
    assert ages(log.store) == [0]  # by the log's time, which stood still
    log.store.clock.tried = 3 * DAY
    log.store.tick(DAY)
    assert ages(log.store) == [40]
    assert retention.prune(log.store, log.settings) == 1

"""What people do with stored events: see many at once, take it back, write notes, ask since when."""

import time

import pytest
from sightings import attack, sighting, stored
from test_events_cli import run

from models.errors import BadInput
from realtime.outputs.events import changes
from realtime.outputs.events.since import moment_of
from realtime.outputs.events.types import EventFilter


@pytest.fixture
def log(open_log):
    log = open_log()
    for number in range(3):
        stored(log, attack(track_id=number, now=0.0), wall_time=1000.0 + number)
    stored(log, sighting(name="Cyd", track_id=9), wall_time=2000.0)
    return log


def open_ones(log):
    return sorted(event.id for event in log.query() if event.acknowledged_at is None)


def test_all_that_match_are_acknowledged_at_once_and_it_can_be_taken_back(log):
    log.acknowledge(2)
    assert changes.acknowledge_all(log.store, EventFilter(frozenset({"suspected_attack"}))) == [1, 3]
    assert open_ones(log) == [4]
    assert changes.undo_acknowledge(log.store) == [1, 3]
    assert open_ones(log) == [1, 3, 4]
    assert changes.undo_acknowledge(log.store) == [2]
    assert changes.undo_acknowledge(log.store) == []
    log.acknowledge(1)
    assert changes.unacknowledge(log.store, [1, 2, 99]) == [1]


def test_a_note_is_kept_without_control_characters_replaced_and_erased(log):
    assert changes.note(log.store, 1, "  the \x1b[31mpostman\n")
    assert log.get(1).note == "the [31mpostman"
    assert changes.note(log.store, 1, "")
    assert log.get(1).note == ""
    assert not changes.note(log.store, 99, "nobody")
    with pytest.raises(ValueError, match="at most 2000"):
        changes.note(log.store, 1, "x" * 2001)


def test_on_the_command_line_too(log):
    folder = log.store.folder
    assert "2 events acknowledged" in run("acknowledge", "--folder", folder, "1", "2")
    assert "1 events acknowledged" in run("acknowledge", "--folder", folder, "--all", "--kind", "suspected_attack")
    assert "1 events are open again" in run("acknowledge", "--folder", folder, "--undo")
    assert "the postman" in run("note", "--folder", folder, "1", "the postman")
    with pytest.raises(BadInput, match="or --undo"):
        run("acknowledge", "--folder", folder)
    with pytest.raises(BadInput, match="no event 77"):
        run("acknowledge", "--folder", folder, "3", "77")
    assert open_ones(log) == [3, 4]


def test_events_are_listed_since_a_moment(log):
    assert "Cyd" in run("list", "--folder", log.store.folder, "--since", "1970-01-01T00:30:00+00:00")
    assert "passes for Ada" not in run("list", "--folder", log.store.folder, "--since", "1970-01-01T00:30:00+00:00")
    assert "Cyd" not in run("list", "--folder", log.store.folder, "--since", "2h")
    with pytest.raises(BadInput, match="is no moment; give 2h"):
        run("list", "--folder", log.store.folder, "--since", "soon")


def test_moments_are_read_as_people_give_them():
    now = time.time()
    assert [now - moment_of(text, now) for text in ("30s", "5m", "2h", "3d", "now")] == pytest.approx(
        [30, 300, 7200, 259_200, 0], abs=0.01
    )
    assert 0 <= now - moment_of("today", now) < 90_000
    assert moment_of("2026-11-30T08:15:00+00:00") == 1_796_026_500
    for text in ("", "yesterday-ish", "3x", "2026-13-40", "9" * 400 + "d"):
        with pytest.raises(BadInput):
            moment_of(text, now)

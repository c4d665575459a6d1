"""Events of one store taken into another: all of them, each once."""

import pytest
from sightings import attack, frame, sighting, stored

from realtime.outputs.events.store import EventStore


def test_events_of_another_store_are_taken_in_once_with_their_pictures(open_log, tmp_path):
    log = open_log()
    for number in range(3):
        stored(log, attack(track_id=number))
    log.close()
    here, whole = EventStore(log.store.folder, owner=False, write=False), EventStore(tmp_path / "whole")
    rows = here.rows_after(0, 10)
    assert [number for number, _ in rows] == [1, 2, 3]
    for number, row in [*rows, rows[1]]:  # one comes twice
        pictures = {name: here.picture_path(number, name).read_bytes() for name in row.pictures}
        whole.take_in(row, pictures, ["webhook"])
    assert [(event.key, event.track_id, event.claimed) for event in reversed(whole.query())] == [
        (event.key, event.track_id, event.claimed) for event in reversed(here.query())
    ]
    for number in (1, 2, 3):
        for name in here.get(number).pictures:
            assert whole.picture_path(number, name).read_bytes() == here.picture_path(number, name).read_bytes()
    assert whole.rows("SELECT count(*) FROM outbox") == [(3,)]
    assert whole.people() == here.people()
    here.close()
    whole.close()


def test_taking_in_that_was_cut_short_is_done_again(open_log, tmp_path, monkeypatch):
    log = open_log()
    stored(log, attack())
    log.close()
    here, whole = EventStore(log.store.folder, owner=False, write=False), EventStore(tmp_path / "whole")
    ((number, row),) = here.rows_after(0, 10)
    pictures = {name: here.picture_path(number, name).read_bytes() for name in row.pictures}
    with monkeypatch.context() as patch:
        patch.setattr(whole, "_insert", lambda row: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            whole.take_in(row, pictures)
    assert whole.query() == []
    assert whole.take_in(row, pictures).key == row.key
    assert len(whole.query()[0].pictures) == len(pictures)
    here.close()
    whole.close()


def test_a_person_whom_another_log_told_of_does_not_appear_again(open_log):
    log = open_log()
    log.remember("door", "Ada", 10.0)
    assert log.offer(frame(), [sighting(name="Ada", now=11.0)], 11.0) == 0
    assert log.offer(frame(), [sighting(name="Bob", track_id=9, now=11.0)], 11.0) == 1

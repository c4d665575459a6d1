"""Events while another program holds the database: none is lost, and they are stored in their order."""

import contextlib
import sqlite3
import time

import pytest
from sightings import attack, frame, stored

from models.errors import BadInput
from realtime.outputs.events import waiting as waiting_rows
from realtime.outputs.events.store import EventStore


@pytest.fixture
def log(open_log, monkeypatch):
    monkeypatch.setattr("realtime.outputs.events.store._BUSY_MS", 20)
    log = open_log(deliver_to=["webhook"])
    stored(log, attack(track_id=0))
    return log


@contextlib.contextmanager
def held(folder):
    with contextlib.closing(sqlite3.connect(folder / "events.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


def happen(log, numbers):
    for number in numbers:
        while not log.offer(frame(), [attack(track_id=number)], 0.0):
            time.sleep(0.005)


def until_waiting(log, count):
    end = time.monotonic() + 10
    while len(log.store.waiting) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def tracks(store):
    return [event.track_id for event in reversed(store.query())]


def test_events_wait_while_another_program_holds_the_database_and_are_stored_in_their_order(log):
    listener = log.subscribe()
    with held(log.store.folder):
        happen(log, range(1, 31))
        until_waiting(log, 30)
        assert tracks(log.store) == [0]
        assert log.counts()["queued"] == 30
    assert log.flush()
    assert tracks(log.store) == [*range(31)]
    assert all(len(event.pictures) == 5 for event in log.query())
    assert [event.track_id for event in listener.take()] == [*range(1, 31)]
    assert log.store.rows("SELECT event_id FROM outbox ORDER BY id") == [(number,) for number in range(1, 32)]
    assert list((log.store.folder / "waiting").iterdir()) == []
    assert (log.counts()["failed"], log.failures()) == (0, [])


def test_events_that_wait_when_the_program_ends_are_stored_at_the_next_start(log, caplog):
    folder = log.store.folder
    with held(folder):
        happen(log, (1, 2, 3))
        until_waiting(log, 3)
        log.close()
    assert log.failures() == []
    assert "3 events wait to be stored at the next start" in caplog.text
    again = EventStore(folder)
    assert tracks(again) == [0, 1, 2, 3]
    assert [len(event.pictures) for event in again.query()] == [5] * 4
    assert not (folder / "evidence" / "lost+found").exists()
    again.close()


def test_where_not_even_waiting_can_be_written_they_wait_in_memory(log, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(waiting_rows, "whole_file", full)
    with held(log.store.folder):
        happen(log, (1, 2))
        until_waiting(log, 2)
        assert log.store.waiting.in_memory() == 2
    assert log.flush()
    assert tracks(log.store) == [0, 1, 2]


def test_on_a_full_disk_there_is_room_held_for_the_rows(log, monkeypatch):
    reserve, write = log.store.folder / "waiting.reserve", waiting_rows.whole_file
    assert reserve.stat().st_size == 1 << 20

    def full(path, **options):
        if reserve.exists():
            raise OSError(28, "No space left on device")
        return write(path, **options)

    monkeypatch.setattr(waiting_rows, "whole_file", full)
    with held(log.store.folder):
        happen(log, (1, 2))
        until_waiting(log, 2)
        assert log.store.waiting.in_memory() == 0
    monkeypatch.undo()
    assert log.flush()
    assert tracks(log.store) == [0, 1, 2]
    assert reserve.exists()  # for the next time


def test_pictures_are_kept_aside_while_their_folder_is_away_and_go_there_when_it_is_back(log, caplog):
    folder = log.store.folder
    (folder / "evidence").rename(folder / "away")
    stored(log, attack(track_id=1))
    assert len(log.picture(2, "before")) > 60
    assert not (folder / "evidence").exists()
    (folder / "away").rename(folder / "evidence")
    stored(log, attack(track_id=2))
    log.close()
    again = EventStore(folder)
    assert tracks(again) == [0, 1, 2]
    files = [again.picture_path(event.id, name) for event in again.query() for name in event.pictures]
    assert len(files) == 15
    assert all(file.is_file() and file.is_relative_to(folder / "evidence") for file in files)
    assert not again.aside.exists()
    again.close()
    assert "put it back: pictures are kept in" in caplog.text


def test_pictures_that_are_aside_at_the_end_go_home_at_the_next_start(log):
    folder = log.store.folder
    (folder / "evidence").rename(folder / "away")
    stored(log, attack(track_id=1))
    log.close()
    with pytest.raises(BadInput, match="evidence/ holds none; put them back"):
        EventStore(folder)
    (folder / "evidence").rmdir()
    (folder / "away").rename(folder / "evidence")
    again = EventStore(folder)
    assert [len(event.pictures) for event in again.query()] == [5, 5]
    assert again.picture_path(2, "mask").is_relative_to(folder / "evidence")
    assert again.remove([2]) == 1
    again.close()


def test_events_wait_while_their_database_is_away(log):
    folder = log.store.folder
    files = list(folder.glob("events.sqlite*"))
    for file in files:
        file.rename(folder / f"away-{file.name}")
    happen(log, (1, 2))
    until_waiting(log, 2)
    for file in files:
        (folder / f"away-{file.name}").rename(file)
    assert log.flush()
    log.close()
    again = EventStore(folder)
    assert tracks(again) == [0, 1, 2]
    again.close()


def test_one_that_was_stored_before_its_file_was_removed_is_not_stored_twice(log):
    folder = log.store.folder
    with held(folder):
        happen(log, [1])
        until_waiting(log, 1)
        (file,) = (folder / "waiting").iterdir()
        kept = file.read_bytes()
    assert log.flush()
    log.close()
    file.write_bytes(kept)
    again = EventStore(folder)
    assert tracks(again) == [0, 1]
    assert not file.exists()
    again.close()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"values": {}, "pictures": [], "people": [], "deliver_to": []}']
)
def test_a_file_that_is_no_event_is_kept_and_holds_up_nobody(log, content, caplog):
    folder = log.store.folder
    log.close()
    (folder / "waiting").mkdir()
    (folder / "waiting" / "000000001.json").write_bytes(content)
    again = EventStore(folder)
    assert len(again.waiting) == 0
    assert (folder / "waiting" / "000000001.damaged").read_bytes() == content
    assert "cannot be read" in caplog.text
    again.close()


def test_what_is_stored_can_be_read_while_the_database_is_held(log):
    with held(log.store.folder):
        happen(log, range(1, 6))
        until_waiting(log, 5)
        assert log.get(1).track_id == 0
        assert len(log.picture(1, "before")) > 60

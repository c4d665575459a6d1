"""Opening an event log: what a crash left behind is removed, what is not the log's own never is."""

import contextlib
import sqlite3

import pytest
from sightings import attack, damage, stored

from models.errors import BadInput
from realtime.outputs.events import retention
from realtime.outputs.events import store as event_store
from realtime.outputs.events.store import EventStore


@pytest.fixture
def folder(open_log):
    """A closed event log with two attacks."""
    log = open_log()
    stored(log, attack(track_id=1))
    stored(log, attack(track_id=2))
    log.close()
    return log.store.folder


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_leftovers_of_a_crash_are_set_aside_and_lost_pictures_are_noticed(folder):
    pictures = folder / "evidence"
    kept, damaged = sorted(pictures.glob("*/*"))
    part, without_row = pictures / (".part-" + "0" * 32), pictures / "00" / ("0" * 32)
    for leftover in (part, without_row):
        leftover.mkdir(parents=True)
        (leftover / "frame.jpg").write_bytes(b"x")
    (damaged / "mask.png").unlink()
    again = EventStore(folder)
    assert again.recovered == 2
    assert not part.exists()
    assert not without_row.exists()
    assert [file.read_bytes() for file in (pictures / "lost+found").rglob("frame.jpg")] == [b"x", b"x"]
    assert sorted(len(event.pictures) for event in again.query()) == [4, 5]
    assert len(list(kept.iterdir())) == 5
    again.close()


def test_an_older_database_loses_no_picture_and_the_newer_one_finds_them_all_again(open_log):
    log = open_log()
    stored(log, attack(track_id=1))
    log.close()
    folder = log.store.folder
    older = (folder / "events.sqlite").read_bytes()
    log = open_log()
    for number in range(2, 5):
        stored(log, attack(track_id=number))
    log.close()
    newer, before = (folder / "events.sqlite").read_bytes(), files(folder / "evidence")
    (folder / "events.sqlite").write_bytes(older)
    for _ in range(2):
        again = EventStore(folder)
        assert [len(event.pictures) for event in again.query()] == [5]
        again.close()
    assert len(files(folder / "evidence")) == len(before)
    (folder / "events.sqlite").write_bytes(newer)
    again = EventStore(folder)
    assert [len(event.pictures) for event in again.query()] == [5, 5, 5, 5]
    again.close()
    assert files(folder / "evidence") == before


def test_a_folder_of_evidence_that_is_away_is_missed_and_not_forgotten(folder):
    evidence = folder / "evidence"
    before = files(evidence)
    evidence.rename(folder / "elsewhere")
    for _ in range(2):
        with pytest.raises(BadInput, match="pictures of 2 events, and evidence/ holds none"):
            EventStore(folder)
    evidence.rmdir()  # the one that was made anew
    (folder / "elsewhere").rename(evidence)
    EventStore(folder).close()
    assert files(evidence) == before


def test_a_picture_that_no_row_speaks_of_is_spoken_of_again(folder):
    with contextlib.closing(sqlite3.connect(folder / "events.sqlite")) as connection, connection:
        connection.execute("DELETE FROM pictures WHERE name = 'frame'")
    again = EventStore(folder)
    assert [len(event.pictures) for event in again.query()] == [5, 5]
    again.close()


def test_what_was_being_erased_when_the_program_was_killed_is_erased_at_the_next_start(open_log, monkeypatch):
    log = open_log()
    for number in (1, 2):
        stored(log, attack(track_id=number, claimed="Ada" if number == 1 else "Cyd", likely=None))
    with monkeypatch.context() as killed:
        killed.setattr(EventStore, "finish_erasing", lambda _: None)
        retention.forget_person(log.store, "Ada")
    log.close()
    assert len(list(log.store.pictures.glob("??/*"))) == 2
    again = EventStore(log.store.folder)
    assert len(list(again.pictures.glob("??/*"))) == 1
    assert not (again.pictures / "lost+found").exists()
    again.close()


@pytest.mark.parametrize(
    "name",
    [
        "statements/witness.txt",
        "frame.jpg",
        ".part-notes/frame.jpg",
        "00/notes.txt",
        "00/" + "0" * 31 + "/frame.jpg",
        "11/" + "0" * 32 + "/frame.jpg",
        "00/" + "0" * 32 + "/notes.txt",
        "{event}/notes.txt",
    ],
)
def test_what_others_keep_beside_the_evidence_stays(folder, name):
    pictures = folder / "evidence"
    event = next(iter(pictures.glob("*/*"))).relative_to(pictures)
    file = pictures / name.format(event=event)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    EventStore(folder).close()
    assert file.read_text() == "mine"


def test_a_folder_that_a_link_leads_to_stays(folder, tmp_path):
    (tmp_path / "frame.jpg").write_text("mine")
    (folder / "evidence" / (".part-" + "0" * 32)).symlink_to(tmp_path)
    EventStore(folder).close()
    assert (tmp_path / "frame.jpg").read_text() == "mine"


@pytest.mark.parametrize("left", ["nothing", "an empty file", "an empty database"])
def test_evidence_whose_database_is_gone_is_refused_and_kept(folder, left):
    database = folder / "events.sqlite"
    evidence = files(folder / "evidence")
    database.rename(folder / "kept.sqlite")
    if left == "an empty file":
        database.touch()
    elif left == "an empty database":
        other = folder.parent / "other"
        EventStore(other).close()
        (other / "events.sqlite").rename(database)
    for _ in range(2):
        with pytest.raises(BadInput, match=r"pictures of 2 events.*put their database back, or give another folder"):
            EventStore(folder)
    assert files(folder / "evidence") == evidence
    (folder / "kept.sqlite").rename(database)
    again = EventStore(folder)
    assert [len(event.pictures) for event in again.query()] == [5, 5]
    again.close()


def test_a_crash_within_the_very_first_event_does_not_keep_the_log_from_opening(tmp_path):
    EventStore(tmp_path).close()
    left = tmp_path / "evidence" / "00" / ("0" * 32)
    left.mkdir(parents=True)
    (left / "frame.jpg").write_bytes(b"x")
    again = EventStore(tmp_path)
    assert again.recovered == 1
    assert not left.exists()
    again.close()


def test_a_database_that_another_program_holds_is_not_called_damaged(folder, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(
        event_store.sqlite3, "connect", lambda path, **given: connect(path, **{**given, "timeout": 0.0})
    )
    with contextlib.closing(connect(folder / "events.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BadInput, match=r"another program holds events.sqlite locked; close that program$"):
            EventStore(folder)
        other.rollback()
    EventStore(folder).close()


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / "events.sqlite").write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    with pytest.raises(BadInput, match="cannot be used"):
        EventStore(tmp_path)


def test_a_damaged_database_is_refused_in_one_line_and_the_folder_is_free_again(folder):
    database = folder / "events.sqlite"
    whole = database.read_bytes()
    damage(database)
    with pytest.raises(BadInput, match=r"cannot be used .*malformed.*; repair events.sqlite") as refusal:
        EventStore(folder)
    assert "\n" not in str(refusal.value)
    database.write_bytes(whole)
    EventStore(folder).close()


def test_a_database_of_a_newer_version_is_refused_and_the_folder_is_free_again(tmp_path):
    EventStore(tmp_path).close()
    database = tmp_path / "events.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BadInput, match="newer version") as refusal:
        EventStore(tmp_path)
    database.unlink()
    EventStore(tmp_path).close()
    assert refusal  # whose traceback, until now, kept alive what was half opened

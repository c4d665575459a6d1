"""Logs on read-only disks, in folders of somebody else, and on full disks."""

import contextlib
import json
import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest
from rich.cells import cell_len
from sightings import attack, stored
from typer.testing import CliRunner

from models.errors import BadInput
from realtime.outputs.events import database
from realtime.outputs.events.commands import app
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import EventSettings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of another kind")
NOBODY = 65534


@pytest.fixture
def folder():
    """A log with two attacks in a place that everybody may look into, closed."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    log = EventLog(place / "events", EventSettings(min_free_bytes=0))
    for number in (1, 2):
        stored(log, attack(track_id=number))
    log.close()
    yield place / "events"
    writable(place)
    shutil.rmtree(place)


def writable(place):
    for path in [place, *place.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)


@contextlib.contextmanager
def read_only(folder):
    """Within the block the folder can be read and not written: as root by being nobody, who does not own it."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH | (0o111 if path.is_dir() else 0))
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


cell_len("\u00e9\u597d")  # Rich loads its tables now: who they are read as below may not see where it is installed


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_events_in_a_read_only_folder_are_listed_and_exported_and_nothing_is_left_there(folder, tmp_path_factory):
    before = contents(folder)
    out = Path(tempfile.mkdtemp())
    out.chmod(0o777)
    with read_only(folder):
        assert run("list", "--folder", folder).count("passes for Ada") == 2
        run("export", "--folder", folder, "--out", out / "out.jsonl")
    assert [json.loads(line)["id"] for line in (out / "out.jsonl").read_text().splitlines()] == [1, 2]
    assert contents(folder) == before
    shutil.rmtree(out)


def test_what_a_killed_run_left_in_its_log_is_listed_too(folder):
    log = EventLog(folder, EventSettings(min_free_bytes=0))
    stored(log, attack(track_id=3))
    killed = folder.parent / "killed"
    killed.mkdir()
    for name in ("events.sqlite", "events.sqlite-wal"):
        shutil.copyfile(folder / name, killed / name)
    log.close()
    with read_only(killed):
        assert run("list", "--folder", killed).count("passes for Ada") == 3


def test_while_its_owner_writes_somebody_else_reads_what_is_new(folder):
    log = EventLog(folder, EventSettings(min_free_bytes=0))
    stored(log, attack(track_id=3))
    with read_only(folder):
        assert run("list", "--folder", folder).count("passes for Ada") == 3
    log.close()


def test_what_may_not_be_read_is_not_said_to_be_unwritable(folder):
    if os.geteuid() == 0:
        folder.chmod(0o700)
        refused = contextlib.ExitStack()
        refused.callback(os.seteuid, 0)
        os.seteuid(NOBODY)
    else:
        refused = contextlib.nullcontext()
        (folder / "events.sqlite").chmod(0)
    with refused:
        for command in ("list", "acknowledge"):
            with pytest.raises(
                BadInput, match=r"cannot be read \(Permission denied\); run this as the user who owns it"
            ):
                run(command, "--folder", folder, *([1] if command == "acknowledge" else []))


def test_what_may_not_be_written_says_so(folder):
    with read_only(folder):
        for use in (lambda: run("acknowledge", "--folder", folder, 1), lambda: EventStore(folder)):
            with pytest.raises(
                BadInput, match=r"events: cannot be written to.*; give a folder that this user may write"
            ):
                use()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_FULL, r"no room is left on its disk; make room, or give another folder$"),
        (sqlite3.SQLITE_BUSY, r"another running program writes its events here; give this one its own$"),
        (sqlite3.SQLITE_READONLY, r"cannot be written to; give a folder that this user may write to$"),
        (sqlite3.SQLITE_IOERR, r"its disk does not read or write \(made up\); look at the disk$"),
    ],
)
def test_a_lock_that_cannot_be_had_for_another_reason_is_not_called_another_program(tmp_path, monkeypatch, code, said):
    class Refusing:
        def execute(self, _):
            error = sqlite3.OperationalError("made up")
            error.sqlite_errorcode = code
            raise error

        def close(self):
            pass

    monkeypatch.setattr(database.sqlite3, "connect", lambda *_, **__: Refusing())
    with pytest.raises(BadInput, match=said):
        EventStore(tmp_path)

import json
import sqlite3

import pytest
from sightings import attack, damage, frame, sighting
from typer.testing import CliRunner

from models.errors import BadInput
from realtime.outputs.events.commands import app
from realtime.outputs.events.store import EventStore


@pytest.fixture
def log(open_log):
    log = open_log()
    log.offer(frame(), [attack(track_id=1, box=(10, 80, 60, 140)), sighting(name="Cyd", track_id=2)], 0.0)
    assert log.flush()
    return log


@pytest.fixture
def folder(log):
    return log.store.folder


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_events_are_listed_and_exported_while_a_run_writes(folder, tmp_path):
    assert "Cyd appeared" in run("list", "--folder", folder, "--json", tmp_path / "list.json")
    assert [event["kind"] for event in json.loads((tmp_path / "list.json").read_text())["events"]] == [
        "known",
        "suspected_attack",
    ]
    run("export", "--folder", folder, "--out", tmp_path / "out.jsonl", "--kind", "suspected_attack")
    assert json.loads((tmp_path / "out.jsonl").read_text())["claimed"] == "Ada"


def test_an_event_is_acknowledged(folder):
    run("acknowledge", "--folder", folder, 1)
    with pytest.raises(BadInput, match="no event 99"):
        run("acknowledge", "--folder", folder, 99)
    (times,) = sqlite3.connect(folder / "events.sqlite").execute("SELECT count(acknowledged_at) FROM events").fetchone()
    assert times == 1


def test_a_person_is_forgotten_while_a_run_writes(folder):
    assert "1 events about Cyd" in run("forget", "--folder", folder, "--person", "Cyd", "--yes")
    store = EventStore(folder, owner=False)
    assert [event.claimed for event in store.query()] == ["Ada"]
    store.close()


def test_nothing_is_deleted_where_its_result_cannot_be_written_and_it_is_written_before_it_is_printed(
    folder, tmp_path, monkeypatch
):
    with pytest.raises(BadInput, match="there is no folder"):
        run("forget", "--folder", folder, "--person", "Cyd", "--json", tmp_path / "nowhere" / "out.json")
    assert "Cyd appeared" in run("list", "--folder", folder)

    def nobody_reads(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("realtime.outputs.events.commands.console.print", nobody_reads)
    with pytest.raises(AssertionError):
        run("forget", "--folder", folder, "--person", "Cyd", "--yes", "--json", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {"deleted": 1}


def test_forget_asks_and_a_name_in_another_case_deletes_nothing(folder, monkeypatch):
    with pytest.raises(BadInput, match=r"nothing is deleted unasked; add --yes \(1 events about Cyd\)"):
        run("forget", "--folder", folder, "--person", "Cyd")
    with pytest.raises(BadInput, match="--person cYD: the events name Cyd; give the name as it stands there"):
        run("forget", "--folder", folder, "--person", "cYD", "--yes")
    monkeypatch.setattr("realtime.outputs.events.commands._can_be_asked", lambda: True)
    answer = CliRunner().invoke(app, ["forget", "--folder", str(folder), "--person", "Cyd"], input="n\n")
    assert "Delete 1 events about Cyd" in answer.output
    assert answer.exit_code == 1
    assert "Cyd appeared" in run("list", "--folder", folder)
    assert CliRunner().invoke(app, ["forget", "--folder", str(folder), "--person", "Cyd"], input="y\n").exit_code == 0
    assert "Cyd" not in run("list", "--folder", folder)


def test_mistakes_are_said_in_one_line_and_create_nothing(folder, tmp_path):
    with pytest.raises(BadInput, match="no event log"):
        run("list", "--folder", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(BadInput, match="no such kind"):
        run("list", "--folder", folder, "--kind", "burglar")
    with pytest.raises(BadInput, match="no format txt"):
        run("export", "--folder", folder, "--out", tmp_path / "out.txt")
    with pytest.raises(BadInput, match="not UTF-8"):
        run("list", "--folder", folder, "--person", "Ren\udce9e")  # as a Latin-1 shell gives it
    assert CliRunner().invoke(app, ["acknowledge", "--folder", str(folder), str(2**63)]).exit_code == 2


@pytest.mark.parametrize("command", [("list",), ("acknowledge", 1), ("forget", "--person", "Ada")])
def test_a_damaged_database_is_said_in_one_line(log, folder, command):
    log.close()
    damage(folder / "events.sqlite")
    with pytest.raises(BadInput, match=r"cannot be used \(.*malformed"):
        run(*command, "--folder", folder)

import csv
import json
import os
import stat

import pytest
from sightings import attack, sighting, stored

from models.errors import BadInput
from realtime.outputs.events import export as event_export
from realtime.outputs.events.types import EventFilter


def test_export_as_json_lines_carries_everything_and_csv_one_row_each(open_log, tmp_path):
    log = open_log()
    stored(log, attack())
    stored(log, sighting(name="=HYPERLINK(1)", track_id=2))
    assert event_export.export(log.store, tmp_path / "out.jsonl", "jsonl") == 2
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[0]["probabilities"]["labels"] == ["Ada", "Bob", "Cyd"]
    assert (log.store.folder / lines[0]["files"]["mask"]).is_file()
    assert event_export.export(log.store, tmp_path / "out.csv", "csv", EventFilter(kinds=frozenset({"known"}))) == 1
    (row,) = csv.DictReader((tmp_path / "out.csv").open())
    assert row["identity"] == "'=HYPERLINK(1)"
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600


def test_an_export_that_cannot_be_written_says_so(open_log, tmp_path):
    log = open_log()
    with pytest.raises(BadInput, match="xml"):
        event_export.export(log.store, tmp_path / "out.xml", "xml")
    with pytest.raises(BadInput, match="cannot write"):
        event_export.export(log.store, tmp_path / "missing" / "out.csv", "csv")


def test_an_export_goes_through_a_link_and_into_a_pipe(open_log, tmp_path):
    log = open_log()
    stored(log, attack())
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    event_export.export(log.store, tmp_path / "link.csv", "csv")
    assert (tmp_path / "link.csv").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    event_export.export(log.store, tmp_path / "pipe", "csv")
    assert os.read(reader, 10_000) == (tmp_path / "real.csv").read_bytes()
    os.close(reader)

"""Another place for events, added through the registry alone and run from the configuration to the last event.

A real one is the file with its two classes, and its entry in the registry.
"""

import json
import time
from pathlib import Path

import pytest
from pydantic import Field
from sightings import attack, frame

from models.errors import BadInput
from realtime.assembly import service_settings
from realtime.outputs.delivery.delivery import Delivery, DeliverySection, Refused
from realtime.outputs.delivery.registry import DELIVERIES
from realtime.outputs.services import Services
from realtime.settings.config import load_config


class Notebook(Delivery):
    """Writes events down; has no page for unknown people, and on its first day the pencil breaks."""

    def __init__(self, file):
        self.file, self.tries, self.closed = file, 0, False

    def deliver(self, event):
        self.tries += 1
        if self.tries == 1:
            raise OSError("the pencil is broken")
        if event["kind"] == "unknown":
            raise Refused("no page for them")
        with self.file.open("a") as pages:
            pages.write(json.dumps(event) + "\n")

    def close(self):
        self.closed = True


class NotebookConfig(DeliverySection):
    """Writing every event down."""

    file: str | None = Field(default=None, min_length=3, description="Where to")

    @property
    def asked_for(self):
        return self.file is not None

    def open(self):
        return Notebook(Path(self.file))


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Reads a configuration of this text while there are notebooks."""
    monkeypatch.setitem(DELIVERIES, "notebook", NotebookConfig)

    def read(text):
        (tmp_path / "my.yaml").write_text(text)
        return load_config(tmp_path / "my.yaml")

    return read


def test_events_reach_a_delivery_that_only_the_registry_knows(configured, tmp_path):
    notes = tmp_path / "notes"
    config = configured(f"events: {{folder: e, min_free_gigabytes: 0}}\nnotebook: {{file: {notes}}}")
    settings = service_settings(config)
    with Services(settings, list) as services:
        services.events.offer(frame(), [attack(track_id=1)], 0.0)
        services.events.offer(frame(), [attack(track_id=2)], 0.0)
        assert services.events.flush()
        (sender,) = services._senders
        end = time.monotonic() + 10
        while sender.waiting():
            assert time.monotonic() < end
            time.sleep(0.02)
    assert [json.loads(line)["track_id"] for line in notes.read_text().splitlines()] == [1, 2]
    assert sender.counts() == {"sent": 2, "failed": 1, "refused": 0, "given_up": 0}
    assert settings.deliveries["notebook"].closed


def test_its_section_is_checked_like_every_other(configured):
    with pytest.raises(BadInput, match=r"notebook: only stored events are sent; give events\.folder"):
        configured("notebook: {file: notes}")
    with pytest.raises(BadInput, match=r"notebook.file: found 'n', expected text of at least 3 characters"):
        configured("notebook: {file: n}")
    with pytest.raises(BadInput, match=r"notebook.fil: unknown key; did you mean 'file'\?"):
        configured("notebook: {fil: notes}")
    assert configured("events: {folder: e}").deliveries() == {}


def test_without_its_entry_there_is_none(configured, monkeypatch):
    monkeypatch.delitem(DELIVERIES, "notebook")
    with pytest.raises(BadInput, match="notebook: unknown key"):
        configured("notebook: {file: notes}")

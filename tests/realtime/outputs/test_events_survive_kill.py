"""A child writes, prunes and forgets events; it is killed at random moments; nothing may be half-written.

``SPECTACLEAR_KILLS=200`` runs the long version.
"""

import os
import random
import time

import pytest
from running import forking
from sightings import attack, frame, sighting

from realtime.outputs.events import retention
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import PICTURES, EventFilter, EventSettings

KILLS = int(os.environ.get("SPECTACLEAR_KILLS", "10"))


def write_until_killed(folder, told):
    settings = EventSettings(min_free_bytes=0, max_age_days=1e6, max_bytes=1_500_000)
    log = EventLog(folder, settings, deliver_to=["webhook"])
    told.send("open")
    for number in range(1_000_000):
        log.offer(frame(), [attack(track_id=number) if number % 3 else sighting(name="Bob", track_id=number)], 0.0)
        log.flush()
        if number == 0:
            told.send("stored")
        log.acknowledge(number + 1)
        if number % 5 == 4:
            retention.prune(log.store, settings)
        if number % 11 == 10:
            retention.forget_person(log.store, "Bob")


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a thing of POSIX systems")
def test_every_event_has_its_files_and_every_file_its_event_after_kill_9(tmp_path):
    folder = tmp_path / "events"
    children = forking()
    chance = random.Random(5)
    written = leftovers = 0
    for kill in range(KILLS):
        heard, told = children.Pipe(duplex=False)
        child = children.Process(target=write_until_killed, args=(folder, told))
        child.start()
        assert heard.recv() == "open"
        if kill % 2:  # the others may be killed within the first event
            assert heard.recv() == "stored"
        time.sleep(chance.uniform(0.0, 0.4))
        child.kill()
        child.join()
        store = EventStore(folder)
        leftovers += store.recovered
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
        assert store.rows("PRAGMA foreign_key_check") == []
        expected = set()
        for event in store.query(EventFilter(limit=10_000)):
            written = max(written, event.id)
            assert set(event.pictures) >= set(PICTURES) - {"frame", "clip"} or not event.pictures  # for want of room
            expected |= {store.picture_path(event.id, name) for name in event.pictures}
        found = {path for path in store.pictures.rglob("*") if path.is_file()}
        assert {path for path in found if "lost+found" not in path.parts} == expected
        assert all(path.stat().st_size > 60 for path in expected)
        store.close()
    assert written >= KILLS // 2, "the child was killed before it did anything"
    print(f"{KILLS} kills, {written} events, {leftovers} leftovers set aside")

import io
import sqlite3
import stat
import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from sightings import attack, crop, evidence, frame, quickly, sighting, stored, stranger, track

from models.errors import BadInput
from realtime.outputs.events import evidence_files
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import EventFilter, Sighting

LEFT, RIGHT = (10, 80, 60, 140), (200, 80, 260, 140)


def pixels(log, event, name):
    return np.asarray(Image.open(io.BytesIO(log.picture(event.id, name))))


def striped():
    """A frame with a pattern of 4 pixels, finer than any block."""
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, (np.arange(320) // 4) % 2 == 0] = 200
    return replace(frame(), bgr=stripes)


def contrast(log, box):
    """What is left of the stripes within a box of the first event's frame."""
    x1, y1, x2, y2 = box
    kept = cv2.imdecode(np.frombuffer(log.picture(1, "frame"), np.uint8), 1)
    return kept[y1:y2, x1:x2].std(axis=1).mean()


def test_an_attack_is_stored_with_all_its_evidence(open_log):
    log = open_log()
    (event,) = stored(log, attack(), wall_time=1234.5)
    assert (event.kind, event.camera, event.claimed, event.likely, event.wall_time) == (
        "suspected_attack",
        "door",
        "Ada",
        "Bob",
        1234.5,
    )
    assert event.pictures == ("frame", "before", "saliency", "mask", "after")
    assert event.probabilities == {
        "labels": ["Ada", "Bob", "Cyd"],
        "raw": pytest.approx([0.9, 0.06, 0.04]),
        "masked": pytest.approx([0.1, 0.85, 0.05]),
        "zones": ["eyewear"],
        "views": [pytest.approx([0.25, 0.7, 0.05])],
    }
    assert event.box == pytest.approx((100 / 320, 80 / 240, 160 / 320, 150 / 240), abs=1e-5)


def test_the_pictures_give_back_the_arrays_they_were_made_from(open_log):
    log = open_log()
    (event,) = stored(log, attack())
    assert np.array_equal(pixels(log, event, "before"), crop())
    assert np.array_equal(pixels(log, event, "after"), evidence().masked_crop)
    assert np.array_equal(pixels(log, event, "mask"), evidence().mask)
    assert np.allclose(pixels(log, event, "saliency") / 255, evidence().saliency, atol=0.5 / 255 + 1e-6)
    assert cv2.imdecode(np.frombuffer(log.picture(event.id, "frame"), np.uint8), 1).shape == (240, 320, 3)


def test_the_saliency_of_a_quick_decision_is_looked_at_before_its_event_is_stored(open_log):
    looked_at = []

    def explain(pixels, found):
        looked_at.append((pixels, found, threading.current_thread().name))
        return replace(evidence(), raw=found.raw)

    log = open_log(explain=explain)
    stored(log, attack(track_id=1))
    assert looked_at == []  # an alarm was looked at already
    event, _ = stored(log, quickly(sighting(track_id=2)))
    ((pixels_seen, found, thread),) = looked_at
    assert np.array_equal(pixels_seen, crop())
    assert not found.saliency.any()
    assert thread == "event-log"
    assert (event.kind, event.identity) == ("known", "Ada")
    assert event.pictures == ("frame", "before", "saliency", "mask", "after")
    assert np.array_equal(pixels(log, event, "mask"), evidence().mask)
    assert event.probabilities["masked"] == pytest.approx([0.1, 0.85, 0.05])


def test_saliency_that_was_not_looked_at_is_left_out_and_not_made_up(open_log):
    def failing(*_):
        raise RuntimeError("no memory on the device")

    for number, explain in enumerate((None, failing)):
        log = open_log(f"events {number}", explain=explain)
        (event,) = stored(log, quickly(sighting()))
        assert event.pictures == ("frame", "before")
        assert event.probabilities["raw"] == pytest.approx([0.9, 0.06, 0.04])
        assert event.probabilities["views"] == [pytest.approx([0.25, 0.7, 0.05])]
        assert event.probabilities["masked"] is None


def test_the_log_keeps_the_frame_as_it_was_when_the_pipeline_draws_on_it_afterwards(open_log):
    log = open_log()
    shot = replace(frame(), bgr=np.full((240, 320, 3), 200, np.uint8))
    log.offer(shot, [attack()], 0.0)
    shot.bgr[:] = 0
    log.flush()
    assert cv2.imdecode(np.frombuffer(log.picture(1, "frame"), np.uint8), 1).mean() == pytest.approx(200, abs=2)


def test_everything_is_readable_by_the_owner_only(open_log):
    log = open_log()
    stored(log, attack())
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [log.store.folder, *log.store.folder.rglob("*")]}
    assert any(path.name == "events.sqlite-wal" for path in modes)
    assert any(path.name == "after.png" for path in modes)
    assert {path: mode for path, mode in modes.items() if mode & 0o077} == {}


def test_bystanders_are_pixelated_and_the_one_concerned_is_not(open_log):
    log = open_log(pixelate_others=True)
    log.offer(striped(), [attack(box=LEFT), Sighting(track(2, RIGHT))], 0.0)
    log.flush()
    assert contrast(log, LEFT) == pytest.approx(100, abs=5)
    assert contrast(log, RIGHT) < 25


def test_a_bystander_who_is_not_followed_yet_is_pixelated_too(open_log):
    subject = tuple(value + 3 for value in LEFT)  # found again, not on the very pixel
    found = [track(0, box).face for box in (subject, RIGHT)]
    log = open_log(pixelate_others=True, find_faces=lambda bgr: found if bgr.shape == (240, 320, 3) else [])
    log.offer(striped(), [attack(box=LEFT)], 0.0)
    log.flush()
    assert contrast(log, LEFT) == pytest.approx(100, abs=5)
    assert contrast(log, RIGHT) < 25


def test_a_large_frame_is_stored_smaller(open_log):
    log = open_log(frame_max_side=160)
    stored(log, attack(), size=(240, 320))
    assert cv2.imdecode(np.frombuffer(log.picture(1, "frame"), np.uint8), 1).shape == (120, 160, 3)


def test_events_are_found_by_kind_camera_person_time_and_acknowledgement(open_log):
    log = open_log()
    stored(log, attack(track_id=1, box=LEFT, claimed="Ada", likely="Bob"), camera="door", wall_time=10.0)
    stored(log, sighting(track_id=2, name="Bob"), camera="yard", wall_time=20.0)
    stored(log, stranger(track_id=3), camera="door", wall_time=30.0)
    log.acknowledge(2)

    def found(**wanted):
        return [event.id for event in log.query(EventFilter(**wanted))]

    assert found() == [3, 2, 1]
    assert found(kinds=frozenset({"known", "unknown"})) == [3, 2]
    assert found(camera="door") == [3, 1]
    assert found(person="Bob") == [2, 1]
    assert found(since=15.0, until=25.0) == [2]
    assert found(acknowledged=False) == [3, 1]
    assert found(before_id=3, limit=1) == [2]
    assert found(after_id=1) == [2, 3]
    assert [(p["name"], p["events"], p["attacks"]) for p in log.people()] == [("Bob", 2, 1), ("Ada", 1, 1)]


def test_an_attack_is_told_in_a_sentence(open_log):
    log = open_log()
    said = [("Bob", "saliency"), (None, "saliency"), ("Ada", "lower_face")]
    for number, (likely, dissent) in enumerate(said):
        stored(log, attack(likely=likely, dissent=dissent, track_id=number))
    assert [event.text for event in reversed(log.query())] == [
        "Suspected attack: passes for Ada, likely Bob",
        "Suspected attack: passes for Ada",
        "Suspected attack: passes for Ada, but the view without the lower face disagrees",
    ]


def test_a_listener_hears_of_new_and_of_acknowledged_events(open_log):
    log = open_log()
    woken = []
    listener = log.subscribe(lambda: woken.append(1))
    stored(log, attack())
    assert [event.claimed for event in listener.take(1.0)] == ["Ada"]
    log.acknowledge(1)
    assert [event.acknowledged_at is not None for event in listener.take(1.0)] == [True]
    assert len(woken) == 2
    listener.close()
    stored(log, attack(track_id=2, now=1.0), now=1.0)
    assert listener.take() == []


def test_acknowledging_twice_keeps_the_first_time(open_log):
    log = open_log()
    stored(log, attack())
    assert log.store.acknowledge(1, now=5.0).acknowledged_at == 5.0
    assert log.store.acknowledge(1, now=9.0).acknowledged_at == 5.0
    assert log.acknowledge(99) is None


def test_two_programs_cannot_write_into_one_folder(open_log, tmp_path):
    open_log("shared")
    with pytest.raises(BadInput, match="another running program"):
        EventLog(tmp_path / "shared")


def test_a_second_program_can_read_and_acknowledge_meanwhile(open_log):
    log = open_log()
    stored(log, attack())
    reader = EventStore(log.store.folder, owner=False)
    assert reader.acknowledge(1).claimed == "Ada"
    reader.close()
    assert log.get(1).acknowledged_at is not None


@pytest.mark.parametrize("key", ["../../etc", "", "a" * 31, "A" * 32, "a" * 32 + "\n", "a" * 33])
def test_only_keys_of_our_own_making_become_paths(tmp_path, key):
    with pytest.raises(ValueError, match="key"):
        evidence_files.folder_of(tmp_path, key)


def test_numbers_are_never_given_twice(open_log):
    log = open_log()
    stored(log, attack(track_id=1))
    log.store.remove([1])
    assert [event.id for event in stored(log, attack(track_id=2))] == [2]


def test_the_database_is_in_wal_mode(open_log):
    log = open_log()
    assert sqlite3.connect(log.store.folder / "events.sqlite").execute("PRAGMA journal_mode").fetchone() == ("wal",)

"""Events when there are more than can be stored in time, and when the disk is slow, full or failing."""

import threading
import time
from dataclasses import replace

from sightings import attack, evidence, frame, quickly, stored, stranger

from realtime.outputs.events import evidence_files


def test_events_that_pile_up_are_stored_without_a_look_rather_than_dropped(open_log):
    held = threading.Event()

    def explain(pixels, found):
        held.wait(10)
        return evidence()

    log = open_log(explain=explain, queue_size=4)
    for number in range(5):
        log.offer(frame(), [quickly(stranger(track_id=number))], 0.0)
        time.sleep(0.05)
    held.set()
    assert log.flush()
    looked_at = ["saliency" in event.pictures for event in reversed(log.query())]
    assert looked_at == [True, False, True, True, True]  # three waited behind the second


def test_a_slow_disk_never_delays_the_pipeline_and_what_it_had_no_time_for_comes_back(open_log, monkeypatch):
    log = open_log(queue_size=2)
    add = log.store.add

    def slowly(*stored):
        time.sleep(0.2)
        return add(*stored)

    crowd = [attack(track_id=number) for number in range(12)]
    with monkeypatch.context() as slow:
        slow.setattr(log.store, "add", slowly)
        before = time.monotonic()
        taken = log.offer(frame(), crowd, 0.0)
        assert time.monotonic() - before < 1  # waiting for it would take more than two seconds
    assert 2 <= taken <= 4
    assert log.counts()["put_off"] == 12 - taken
    for _ in range(12):
        log.flush()
        log.offer(frame(), crowd, 0.1)
    assert log.counts()["written"] == 12
    assert len(log.query()) == 12


def test_over_every_frame_of_a_file_nothing_is_put_off(open_log):
    log = open_log(queue_size=2)
    shot = replace(frame(), file_time=0.0)
    assert log.offer(shot, [attack(track_id=number) for number in range(12)], 0.0) == 12
    assert log.flush()
    assert (log.counts()["written"], log.counts()["put_off"]) == (12, 0)


def test_events_that_closing_had_no_time_for_are_told_and_those_that_it_waits_for_are_stored(open_log, monkeypatch):
    for patient in (True, False):
        log = open_log(f"patient {patient}")
        add = log.store.add
        monkeypatch.setattr(log.store, "add", lambda *stored, add=add: time.sleep(0.3) or add(*stored))
        assert log.offer(frame(), [attack(track_id=number) for number in range(7)], 0.0) == 7
        if patient:
            assert log.flush(1.0)  # it takes two seconds, and gets on
        assert log.flush(given_up=lambda: True) is patient
        log.close()
        told = " ".join(log.failures())
        assert (told == "") if patient else ("events were not stored" in told)


def test_on_a_disk_that_takes_no_pictures_the_row_is_stored_all_the_same(open_log, monkeypatch, caplog):
    log = open_log(deliver_to=["webhook"])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(evidence_files, "write_folder", full)
        assert [event.pictures for event in stored(log, attack(track_id=1))] == [()]
    assert len(stored(log, attack(track_id=2))[0].pictures) == 5
    assert (log.counts()["failed"], log.counts()["without_pictures"]) == (0, 1)
    assert log.store.rows("SELECT event_id FROM outbox") == [(1,), (2,)]
    assert "an event is kept without pictures: No space left on device" in caplog.text


def test_while_the_folder_of_evidence_is_away_rows_are_stored_and_delivered(open_log, caplog):
    log = open_log(deliver_to=["webhook"])
    log.store.pictures.rename(log.store.folder / "elsewhere")
    assert len(stored(log, attack(track_id=1))[0].pictures) == 5  # kept aside until then
    assert "is away; put it back" in caplog.text
    (log.store.folder / "elsewhere").rename(log.store.pictures)
    assert len(stored(log, attack(track_id=2))[0].pictures) == 5
    assert log.store.rows("SELECT event_id FROM outbox") == [(1,), (2,)]


def test_below_the_floor_of_free_disk_the_event_is_kept_without_pictures(open_log):
    log = open_log(min_free_bytes=2**62)
    (event,) = stored(log, attack())
    assert event.pictures == ()
    assert event.probabilities is not None
    assert log.counts()["without_pictures"] == 1

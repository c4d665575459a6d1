import json
import time

from sightings import attack, sighting, stored, stranger

from realtime.outputs.events import retention
from realtime.outputs.events.types import EventSettings

LEFT, RIGHT = (10, 80, 60, 140), (200, 80, 260, 140)


def test_old_events_go_and_so_do_their_files(open_log):
    log = open_log()
    now = time.time()
    for age, number in ((40, 1), (20, 2)):
        stored(log, attack(track_id=number), wall_time=now - age * 86400)
    assert retention.prune(log.store, EventSettings(max_age_days=30, min_free_bytes=0), now) == 1
    assert [event.id for event in log.query()] == [2]
    assert len(list(log.store.pictures.glob("*/*"))) == 1


def test_the_size_is_kept_and_open_attacks_go_last(open_log):
    log = open_log()
    stored(log, attack(track_id=1))
    for number in range(2, 8):
        stored(log, stranger(track_id=number, now=0.0))
    size = log.store.rows("SELECT max(bytes) FROM events")[0][0]
    retention.prune(log.store, EventSettings(max_bytes=3 * size, max_age_days=1e6, min_free_bytes=0))
    assert [event.id for event in log.query()] == [7, 6, 1]
    kept = sum(file.stat().st_size for file in log.store.pictures.rglob("*.*"))
    assert kept <= 3 * size


def test_events_that_were_stored_without_pictures_are_not_deleted_for_room_that_they_do_not_take(open_log):
    log = open_log(min_free_bytes=2**62, deliver_to=["webhook"])
    for number in range(6):
        stored(log, attack(track_id=number), wall_time=time.time())
    retention.prune(log.store, log.settings)
    assert len(log.query()) == 6
    assert log.store.rows("SELECT count(*) FROM outbox") == [(6,)]


def test_a_forgotten_person_leaves_no_trace_on_disk(open_log):
    log = open_log()
    name = "Zacharias Unforgettable"
    stored(log, sighting(name=name, track_id=1, box=LEFT), attack(claimed="Ada", likely="Bob", track_id=2, box=RIGHT))
    stored(log, attack(claimed=name, track_id=3, now=1.0), now=1.0)
    vectors = {
        "labels": ["Ada", name, "Bob"],
        "raw": [0.75, 0.25, 0.0],
        "defended": None,
        "zones": ["eyewear", "lower_face"],
        "views": [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]],
    }
    log.store.rows(
        "UPDATE events SET probabilities = ? WHERE claimed = 'Ada'",
        (json.dumps(vectors),),
    )
    assert retention.forget_person(log.store, name) == 2
    (left,) = log.query()
    assert left.claimed == "Ada"
    assert left.probabilities == {
        "labels": ["Ada", "Bob"],
        "raw": [0.75, 0.0],
        "defended": None,
        "zones": ["eyewear", "lower_face"],
        "views": [[0.5, 0.25], [0.125, 0.125]],
    }
    assert left.pictures == ("before", "saliency", "mask", "after")  # the frame showed the person as a bystander
    assert name not in {person["name"] for person in log.people()}
    for file in log.store.folder.rglob("*"):
        assert not (file.is_file() and name.encode() in file.read_bytes()), file
    assert len(list(log.store.pictures.glob("*/*"))) == 1

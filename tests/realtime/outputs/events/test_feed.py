from dataclasses import replace

import numpy as np
from sightings import crop, evidence, frame, track, verdict

from models.policy import Decision
from realtime.outputs.events.feed import EventFeed
from realtime.types import FaceCrop, FacesInFrame

DECISION = Decision.suspected("Ada", 0.9, likely="Bob")


class Log:
    def __init__(self):
        self.offered = []

    def offer(self, of, sightings, now):
        self.offered.append((of, sightings))
        return 0


def face(level, track_id=1):
    pixels = np.full_like(crop(), level)
    return FaceCrop(track(track_id), frame(), pixels)


def found(*crops):
    return FacesInFrame(frame(), crops)


def test_a_verdict_is_offered_with_the_crop_its_evidence_was_computed_on():
    log = Log()
    feed = EventFeed(log)
    old, new = evidence(), evidence()
    feed.on_decision(face(10), old, DECISION, DECISION)
    feed.on_decision(face(20), new, DECISION, DECISION)
    said = verdict("suspected_attack", "Ada")
    object.__setattr__(said, "evidence", old)
    feed.on_verdicts(found(face(30)), {1: said})
    ((_, (sighting,)),) = log.offered
    assert sighting.verdict is said
    assert (sighting.crop == 10).all()


def test_faces_without_a_verdict_are_offered_too():
    log = Log()
    EventFeed(log).on_verdicts(found(face(10, 1), face(20, 2)), {})
    assert [sighting.track.track_id for sighting in log.offered[0][1]] == [1, 2]
    assert [sighting.verdict for sighting in log.offered[0][1]] == [None, None]


def test_crops_of_tracks_that_are_gone_are_not_kept():
    rounds = 200
    feed = EventFeed(Log())
    for number in range(rounds):
        feed.on_decision(face(1, number), evidence(), DECISION, DECISION)
        feed.on_verdicts(found(face(1, number)), {})
    assert len(feed._crops) == 1
    for _ in range(rounds):
        feed.on_decision(face(1, rounds), evidence(), DECISION, DECISION)
    assert sum(len(kept) for kept in feed._crops.values()) < 40


def test_nothing_of_a_drill_is_offered():
    log = Log()
    EventFeed(log).on_verdicts(FacesInFrame(replace(frame(), drill=True), (face(10),)), {1: verdict("known", "Ada")})
    assert log.offered == []

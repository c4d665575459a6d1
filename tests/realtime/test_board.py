"""The meeting point of the threads."""

import threading
from dataclasses import replace

import numpy as np
from test_schedule import crop

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.board import Board
from realtime.types import FacesInFrame
from realtime.verdicts.agreement import VerdictRules

KNOWN = Decision.known("Ann", 0.9)


def evidence() -> CropEvidence:
    one, two = np.full(1, 0.9, np.float32), np.zeros((2, 2), np.float32)
    return CropEvidence(
        ("Ann",), one, two, two > 0, np.zeros((2, 2, 3), np.uint8), one, np.zeros((0, 1), np.float32), ()
    )


def board() -> Board:
    return Board(["door", "yard"], VerdictRules(agreement=2, window=3))


def test_waiting_ends_when_faces_come_and_only_once_for_them() -> None:
    meeting = board()
    found = FacesInFrame(crop(1, 0).frame, (crop(1, 0),))
    threading.Timer(0.05, meeting.put_faces, (found, 0.0)).start()
    assert meeting.wait_for_faces(5.0)
    assert not meeting.wait_for_faces(0.01)
    assert [c.track.track_id for c in meeting.crops()] == [1]


def test_decisions_add_up_to_a_verdict_of_the_shown_track() -> None:
    meeting = board()
    for frame in range(2):
        meeting.put_faces(FacesInFrame(crop(7, frame).frame, (crop(7, frame),)), float(frame))
        meeting.put_decision(crop(7, frame), KNOWN, evidence(), float(frame))
    assert meeting.verdicts("door", 1.1)[7].identity == "Ann"
    assert meeting.verdicts("yard", 1.1) == {}


def test_a_track_that_is_no_longer_shown_has_no_verdict() -> None:
    meeting = board()
    meeting.put_decision(crop(7, 0), KNOWN, evidence(), 0.0)
    meeting.put_faces(FacesInFrame(crop(7, 1).frame, ()), 1.0)
    assert meeting.verdicts("door", 1.0) == {}


def test_what_was_decided_on_a_track_is_forgotten_once_it_is_gone() -> None:
    meeting = board()
    for frame in range(2):
        meeting.put_faces(FacesInFrame(crop(7, frame).frame, (crop(7, frame),)), float(frame))
        meeting.put_decision(crop(7, frame), KNOWN, evidence(), float(frame))
    meeting.put_faces(FacesInFrame(crop(8, 2).frame, (crop(8, 2),)), 2.0)
    meeting.put_faces(FacesInFrame(crop(7, 3).frame, (crop(7, 3),)), 3.0)
    assert meeting.verdicts("door", 3.0) == {}


def test_refused_crops_become_unknown_with_the_gates_reason() -> None:
    meeting = board()
    refused = crop(3, 0, refusal="blurred")
    meeting.put_faces(FacesInFrame(refused.frame, (refused,)), 0.0)
    verdict = meeting.verdicts("door", 0.1)[3]
    assert (verdict.state, verdict.reason) == ("unknown", "blurred")


def test_a_name_is_not_shown_over_a_face_that_looks_otherwise_than_the_one_decided_on() -> None:
    meeting = board()
    shade = np.tile(np.arange(32, dtype=np.uint8)[:, None, None], (1, 32, 3))  # dark above, light below
    first, other = (replace(crop(7, frame), pixels=pixels) for frame, pixels in ((1, shade), (2, shade[::-1].copy())))
    for frame in range(2):
        meeting.put_faces(FacesInFrame(first.frame, (first,)), float(frame))
        meeting.put_decision(replace(first, frame=crop(7, frame).frame), KNOWN, evidence(), float(frame))
    assert meeting.verdicts("door", 1.1)[7].identity == "Ann"
    meeting.put_faces(FacesInFrame(other.frame, (other,)), 2.0)
    assert meeting.changed(other)
    verdict = meeting.verdicts("door", 2.0)[7]
    assert (verdict.state, verdict.identity, verdict.reason) == ("unknown", None, "changing")
    meeting.put_decision(other, KNOWN, evidence(), 2.1)
    assert not meeting.changed(other)
    assert meeting.verdicts("door", 2.1)[7].identity == "Ann"

"""Who gets the next decision: new faces first, then the longest waiting."""

from itertools import pairwise

import numpy as np
import pytest

from realtime.schedule import HOLD, SETTLED, Schedule
from realtime.types import DetectedFace, FaceCrop, Frame, TrackedFace


def crop(track: int, frame: int, *, epoch: int = 0, refusal: str | None = None, camera: str = "door") -> FaceCrop:
    face = DetectedFace(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    picture = Frame(camera, frame, np.zeros((2, 2, 3), np.uint8), float(frame), 0.0)
    return FaceCrop(TrackedFace(track, face, epoch), picture, np.zeros((2, 2, 3), np.uint8), refusal)


def tracks(crops: list[FaceCrop]) -> list[int]:
    return [c.track.track_id for c in crops]


def test_new_faces_come_before_known_ones() -> None:
    schedule = Schedule(batch=1)
    assert tracks(schedule.pick([crop(1, 0)], now=0.0)) == [1]
    assert tracks(schedule.pick([crop(1, 1), crop(2, 1)], now=0.1)) == [2]


def test_every_face_gets_its_turn_within_one_round() -> None:
    schedule = Schedule(batch=1)
    order = [tracks(schedule.pick([crop(t, f) for t in (1, 2, 3, 4)], now=float(f)))[0] for f in range(12)]
    for start in range(9):
        assert sorted(order[start : start + 4]) == [1, 2, 3, 4]


def test_a_crop_is_not_decided_twice() -> None:
    schedule = Schedule(batch=2)
    assert tracks(schedule.pick([crop(1, 5)], now=0.0)) == [1]
    assert schedule.pick([crop(1, 5)], now=1.0) == []


def test_a_found_again_face_is_new() -> None:
    schedule = Schedule(batch=1)
    schedule.pick([crop(1, 0)], now=0.0)
    schedule.pick([crop(2, 0)], now=0.05)
    assert tracks(schedule.pick([crop(1, 1), crop(2, 1, epoch=1)], now=0.1)) == [2]


def test_refused_crops_are_never_picked() -> None:
    assert Schedule().pick([crop(1, 0, refusal="blurred")], now=0.0) == []


def test_the_same_track_number_on_two_cameras_is_two_faces() -> None:
    schedule = Schedule(batch=2)
    assert len(schedule.pick([crop(1, 0), crop(1, 0, camera="yard")], now=0.0)) == 2


def test_tracks_that_are_gone_are_forgotten() -> None:
    schedule = Schedule()
    schedule.pick([crop(t, 0) for t in (1, 2)], now=0.0)
    schedule.keep_only([("door", 1)])
    assert tracks(schedule.pick([crop(1, 0), crop(2, 0)], now=1.0)) == [2]


def settle(schedule: Schedule, track: int) -> None:
    """Decisions on frames 0 to 5, all with the same outcome, the last at 0.5 s."""
    for frame in range(6):
        (chosen,) = schedule.pick([crop(track, frame)], now=frame / 10)
        schedule.note(chosen, "Known(Ada)")


def test_a_face_whose_decisions_differ_comes_before_a_settled_one() -> None:
    schedule = Schedule(batch=1)
    settle(schedule, 1)
    for frame, outcome in enumerate(("Known(Ada)", "Unknown", "Known(Ada)")):
        (chosen,) = schedule.pick([crop(2, frame)], now=0.6 + frame / 100)
        schedule.note(chosen, outcome)
    assert tracks(schedule.pick([crop(1, 9), crop(2, 9)], now=0.8)) == [2]


def test_a_settled_face_that_is_overdue_comes_before_new_ones() -> None:
    schedule = Schedule(batch=1, within=0.5)
    settle(schedule, 1)
    assert tracks(schedule.pick([crop(1, 9), crop(2, 9)], now=0.9)) == [2]
    assert tracks(schedule.pick([crop(1, 12), crop(3, 12)], now=1.2)) == [1]


@pytest.mark.parametrize("rate", [5, 10])
def test_however_many_new_faces_come_a_known_one_is_decided_on_again_in_bounded_time(rate: int) -> None:
    """Under a stream of one new face at every turn, more than can be served, the wait stays within the bound."""
    schedule = Schedule(batch=1, within=0.5)
    settle(schedule, 0)
    turns = [0.5]
    for step in range(1, 100):
        now = 0.5 + step / rate
        passers_by = [crop(track, 5 + step) for track in range(step, step + 4)]  # each stays for four turns
        schedule.keep_only([("door", c.track.track_id) for c in [crop(0, 0), *passers_by]])
        if tracks(schedule.pick([crop(0, 5 + step), *passers_by], now=now)) == [0]:
            turns.append(now)
    assert max(later - before for before, later in pairwise(turns)) <= 0.5 + 5 / rate


def test_what_further_zones_said_holds_for_a_settled_face_and_for_a_while() -> None:
    schedule, further = Schedule(), np.array([[0.2, 0.8]], np.float32)
    (chosen,) = schedule.pick([crop(1, 0)], now=0.0)
    schedule.note(chosen, "Known(Ada)", further, 0.0)
    assert schedule.held(chosen, 0.1) is None  # one decision settles nothing
    for frame in range(1, SETTLED):
        schedule.note(crop(1, frame), "Known(Ada)", further * frame, frame / 10)
    np.testing.assert_array_equal(schedule.held(chosen, 0.5), further * 4)
    schedule.note(chosen, "Known(Ada)")  # decided without looking: the last look was at 0.4 s
    assert schedule.held(chosen, 0.39 + HOLD) is not None
    assert schedule.held(chosen, 0.41 + HOLD) is None


def test_further_zones_are_looked_at_at_once_where_the_outcome_changes_or_the_track_is_another() -> None:
    schedule, further = Schedule(), np.array([[0.2, 0.8]], np.float32)
    settle(schedule, 1)
    schedule.note(crop(1, 6), "Known(Ada)", further, 0.6)
    assert schedule.held(crop(1, 7), 0.7) is not None
    assert schedule.held(crop(1, 7, epoch=1), 0.7) is None
    assert schedule.held(crop(2, 7), 0.7) is None
    for frame in range(7, 7 + SETTLED):  # a new outcome, and soon settled, that no look bore out
        schedule.note(crop(1, frame), "Unknown")
        assert schedule.held(crop(1, frame), 0.8) is None


def test_no_view_holds_once_others_are_known() -> None:
    schedule = Schedule(batch=1)
    schedule.known(("Ann", "Bob"))
    for frame in range(SETTLED + 1):
        (chosen,) = schedule.pick([crop(1, frame)], now=0.1 * frame)
        schedule.note(chosen, "known Ann", np.ones((1, 2), np.float32), 0.1 * frame)
    schedule.known(("Ann", "Bob"))
    assert schedule.held(chosen, 0.5) is not None
    schedule.known(("Bob", "Ann"))
    assert schedule.held(chosen, 0.5) is None

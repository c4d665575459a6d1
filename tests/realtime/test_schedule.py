"""Who gets the next decision: new faces first, then the longest waiting."""

from itertools import pairwise

import numpy as np
import pytest

from models.evidence import CropEvidence
from realtime.schedule import IN_TURN, SETTLED, Schedule
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


def test_a_face_that_looks_otherwise_comes_before_a_settled_one() -> None:
    schedule = Schedule(batch=1)
    settle(schedule, 1)
    settle(schedule, 2)
    assert tracks(schedule.pick([crop(1, 9), crop(2, 9)], 0.6, lambda one: one.track.track_id == 2)) == [2]


def look(given: dict[int, float], views: int) -> CropEvidence:
    """Of two people: what the views that were looked at give the first, whom the raw view is sure of."""
    rows = np.array([[given.get(view, 0), 1 - given.get(view, 0)] for view in range(views)], np.float32)
    looked = np.array([view in given for view in range(views)])
    blank = np.zeros((2, 2), np.float32)  # no saliency: there was no alarm
    raw, zones = np.array([0.99, 0.01], np.float32), tuple(f"zone {view}" for view in range(views))
    return CropEvidence(("Ada", "Bob"), raw, blank, blank > 0, np.zeros((2, 2, 3), np.uint8), raw, rows, zones, looked)


@pytest.mark.parametrize(("unsure", "after"), [((), [[0], [0, 1], [0], [0, 1]]), ((1,), [[0, 1]] * 4)])
def test_on_a_settled_face_a_view_that_was_sure_rests_for_one_decision(
    unsure: tuple[int, ...], after: list[list[int]]
) -> None:
    schedule = Schedule()
    seen = [decided(schedule, frame, 2, unsure) for frame in range(SETTLED + 4)]
    assert seen == [[0, 1]] * SETTLED + after


def test_no_view_rests_on_a_face_that_looks_otherwise_now() -> None:
    schedule = Schedule()
    for frame in range(SETTLED + 2):
        decided(schedule, frame, 2)
    (chosen,) = schedule.pick([crop(1, SETTLED + 2)], 9.0, lambda one: True)
    assert schedule.views(chosen, 2).all()


def test_an_alarm_is_expected_after_an_alarm_and_not_where_the_face_may_be_another() -> None:
    schedule = Schedule()
    alarm = look({0: 0.0}, 1)
    alarm.saliency[0, 0] = 1.0  # only alarms are explained
    expected = []
    for frame, (found, changed) in enumerate([(look({0: 0.9}, 1), False), (alarm, False), (alarm, True)]):
        (chosen,) = schedule.pick([crop(1, frame)], now=frame / 10)
        schedule.note(chosen, "whatever", found, changed=changed)
        expected.append(schedule.alarm_expected(crop(1, frame + 1)))
    assert expected == [False, True, False]


def alarmed(schedule: Schedule, frame: int, before: CropEvidence | None = None) -> bool:
    """Decide on a frame of a face that alarms; whether its saliency had to be looked at."""
    (chosen,) = schedule.pick([crop(1, frame)], now=frame / 10, changed=lambda one: before is not None)
    kept = schedule.explanation(chosen)
    found = look({0: 0.0}, 1)
    found.saliency[0, 0] = 1.0
    schedule.note(chosen, "suspected", found if kept is None else found.explained_by(kept))
    return kept is None


def test_while_a_settled_face_goes_on_alarming_its_saliency_is_looked_at_in_every_third_decision() -> None:
    schedule = Schedule()
    expected = [True] * SETTLED + [False, False, True] * 2 + [False, False]
    assert [alarmed(schedule, frame) for frame in range(len(expected))] == expected
    assert alarmed(schedule, 50)
    assert alarmed(schedule, 51, look({0: 0.0}, 1))  # the face looks otherwise now


def decided(schedule: Schedule, frame: int, views: int, unsure: tuple[int, ...] = ()) -> list[int]:
    """Decide on a frame; the views that were looked at. All are sure of the name but the ``unsure``."""
    (chosen,) = schedule.pick([crop(1, frame)], now=frame / 10)
    looked = [int(view) for view in np.flatnonzero(schedule.views(chosen, views))]
    schedule.note(chosen, "Known(Ada)", look({view: 0.3 if view in unsure else 0.99 for view in looked}, views))
    return looked


def test_further_views_are_looked_at_in_turn_and_the_first_always() -> None:
    schedule = Schedule()
    assert [decided(schedule, frame, 7) for frame in range(4)] == [[0, 1, 2], [0, 3, 4], [0, 5, 6], [0, 1, 2]]


@pytest.mark.parametrize("views", [1, 2, 1 + IN_TURN])
def test_few_views_are_all_looked_at(views: int) -> None:
    schedule = Schedule()
    assert [decided(schedule, frame, views) for frame in range(3)] == [list(range(views))] * 3


def test_the_least_sure_view_is_asked_again_at_once_and_the_others_go_on_in_turn() -> None:
    schedule = Schedule()
    seen = [decided(schedule, frame, 7, unsure=(4,)) for frame in range(7)]
    assert all(4 in looked for looked in seen[1:])
    assert {view for looked in seen for view in looked} == set(range(7))


@pytest.mark.parametrize("unsure", [(), (3,), (1, 6), (1, 2, 3, 4, 5, 6)])
def test_every_view_of_a_cover_is_looked_at_within_a_verdicts_window(unsure: tuple[int, ...]) -> None:
    schedule = Schedule()
    seen = [set(decided(schedule, frame, 7, unsure)) for frame in range(40)]
    for first in range(len(seen) - 8):
        assert set().union(*seen[first : first + 8]) == set(range(7))


def test_where_the_face_may_be_another_earlier_looks_say_nothing() -> None:
    schedule = Schedule()
    decided(schedule, 0, 7)
    (chosen,) = schedule.pick([crop(1, 1)], now=0.1)
    schedule.note(chosen, "Unknown", look({0: 0.5}, 7), changed=True)
    assert decided(schedule, 2, 7) == [0, 1, 2]

import pytest
from sightings import attack, sighting, stranger, track

from realtime.outputs.events.rules import EventRules
from realtime.outputs.events.types import EventSettings, Sighting
from realtime.verdicts.agreement import NOT_ENOUGH_EVIDENCE

LEFT, RIGHT = (10, 80, 60, 140), (200, 80, 260, 140)


def run(steps, **settings):
    """Feeds (time, sightings) pairs and gives (time, kind, name) of every event."""
    rules = EventRules(EventSettings(**settings))
    events = []
    for now, sightings in steps:
        events += [(now, kind, subject.name) for kind, subject, _ in rules.notice("door", sightings, now)]
    return events


@pytest.mark.parametrize("kind", ["suspected_attack", "known", "same_name_twice"])
def test_an_event_that_could_not_be_taken_is_noticed_again_with_the_next_frame(kind):
    rules = EventRules(EventSettings(same_name_settle=1.0))

    def notice(now):
        one, other = sighting(track_id=1, box=LEFT, now=now), sighting(track_id=2, box=RIGHT, now=now)
        in_view = {"suspected_attack": [attack(now=now)], "known": [one], "same_name_twice": [one, other]}
        return [found for found in rules.notice("door", in_view[kind], now) if found[0] == kind]

    if kind == "same_name_twice":
        assert notice(0.0) == []
    (found,) = notice(1.5)
    rules.unsaid("door", found)
    assert len(notice(1.6)) == 1
    assert notice(1.7) == []


def test_a_known_person_is_one_event_however_long_she_stays():
    steps = [(t / 10, [sighting(now=t / 10)]) for t in range(0, 2000)]
    assert run(steps) == [(0.0, "known", "Ada")]


def test_the_same_track_gives_the_same_event_again_only_after_the_pause():
    steps = [(float(t), [attack(now=float(t))]) for t in range(0, 25)]
    assert run(steps, again_after=10.0) == [(t, "suspected_attack", "Ada") for t in (0.0, 10.0, 20.0)]


def test_a_track_that_flickers_between_two_verdicts_gives_each_event_once():
    steps = [(t / 10, [sighting(now=t / 10) if t % 2 else attack(now=t / 10)]) for t in range(100)]
    assert run(steps) == [(0.0, "suspected_attack", "Ada"), (0.1, "known", "Ada")]


def test_a_person_whose_track_is_lost_and_found_does_not_appear_again_at_once():
    steps = [(float(t), [sighting(now=float(t), track_id=t)]) for t in range(20)]
    assert run(steps, reappear_after=60.0) == [(0.0, "known", "Ada")]


def test_a_person_who_comes_back_later_appears_again():
    steps = [(0.0, [sighting(now=0.0, track_id=1)]), (100.0, [sighting(now=100.0, track_id=2)])]
    assert run(steps, reappear_after=60.0) == [(0.0, "known", "Ada"), (100.0, "known", "Ada")]


def test_two_attackers_are_two_events():
    steps = [(0.0, [attack(track_id=1, box=LEFT), attack(track_id=2, box=RIGHT)])]
    assert len(run(steps)) == 2


def test_a_stranger_is_an_event_only_when_he_stays_one():
    steps = [(t / 10, [stranger(now=t / 10)]) for t in range(30)]
    assert run(steps, settle=1.0) == [(1.0, "unknown", None)]


@pytest.mark.parametrize(
    "nothing",
    [
        lambda now: stranger(now=now, reason=NOT_ENOUGH_EVIDENCE),
        lambda now: stranger(now=now, reason="too small", with_evidence=False),
        lambda now: sighting(now=now - 5.0),  # a stale verdict
        lambda now: Sighting(track()),
    ],
)
def test_what_is_not_known_yet_is_no_event(nothing):
    assert run([(float(t), [nothing(float(t))]) for t in range(20)], settle=0.0) == []


def test_one_name_on_two_tracks_is_an_event_with_both_tracks():
    rules = EventRules(EventSettings(same_name_settle=0.0))
    two = [sighting(track_id=7, box=LEFT), sighting(track_id=9, box=RIGHT)]
    shared = [found for found in rules.notice("door", two, 0.0) if found[0] == "same_name_twice"]
    assert [(kind, one.track.track_id, other.track.track_id) for kind, one, other in shared] == [
        ("same_name_twice", 7, 9)
    ]


def test_one_name_on_two_tracks_must_last():
    def both(now):
        return [sighting(now=now, track_id=1, box=LEFT), sighting(now=now, track_id=2, box=RIGHT)]

    steps = [(0.0, both(0.0)), (5.0, both(5.0)), (5.4, both(5.4)), (5.6, both(5.6))]
    shared = [event for event in run(steps, same_name_settle=0.5) if event[1] == "same_name_twice"]
    assert shared == [(5.6, "same_name_twice", "Ada")]


def test_a_face_detected_twice_is_not_two_people():
    twice = [sighting(track_id=1, box=(100, 80, 160, 150)), sighting(track_id=2, box=(102, 82, 162, 152))]
    assert [kind for _, kind, _ in run([(0.0, twice)], same_name_settle=0.0)] == ["known"]


def test_cameras_do_not_share_their_memory():
    rules = EventRules(EventSettings())
    assert rules.notice("door", [sighting()], 0.0)
    assert rules.notice("yard", [sighting()], 0.0)


def test_only_the_kinds_asked_for_are_noticed():
    steps = [(0.0, [sighting(track_id=1, box=LEFT), attack(track_id=2, box=RIGHT, claimed="Bob")])]
    assert run(steps, kinds=frozenset({"suspected_attack"})) == [(0.0, "suspected_attack", "Bob")]


def test_memory_of_tracks_does_not_grow():
    rules = EventRules(EventSettings(again_after=1.0))
    for second in range(5000):
        rules.notice("door", [sighting(track_id=second, now=float(second))], float(second))
    assert len(rules._tracks) < 700

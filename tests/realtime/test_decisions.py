"""From crops to decisions: what is looked at, and what stands in for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle import Bundle
from models.engines import make_engine
from models.policy import Policy
from models.recogniser import Recogniser
from realtime.decisions import Turn, looked_at
from realtime.schedule import SETTLED, Schedule
from realtime.types import DetectedFace, FaceCrop, Frame, TrackedFace

_FACE = DetectedFace(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
ALWAYS_AN_ALARM = Policy(threshold=0, zone_confirm=2.0, zone_dissent=2.0, zone_threshold=0)


@pytest.fixture
def recogniser(narrow_bundle: Bundle) -> Recogniser:
    found = Recogniser(narrow_bundle, make_engine("onnxruntime-cpu", narrow_bundle, threads=1))
    found.zones, found.policy = ("eyewear",), ALWAYS_AN_ALARM
    return found


def crop(number: int, seed: int = 0) -> FaceCrop:
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
    frame = Frame("scene", number, np.zeros((1, 1, 3), np.uint8), float(number), 0.0)
    return FaceCrop(TrackedFace(1, _FACE), frame, pixels)


def turns(recogniser: Recogniser, count: int) -> list[tuple[str, np.ndarray, str | None]]:
    """Of each decision on a face that goes on alarming: what was looked at, the saliency shown, and who is likely."""
    schedule, found = Schedule(), []
    for number in range(count):
        (chosen,) = schedule.pick([crop(number, seed=number)], float(number))
        turn = Turn.of([chosen], 1, schedule)
        ((one, decision),) = looked_at(recogniser, [chosen], turn)
        schedule.note(chosen, "suspected", one)
        found.append((turn.explaining, one.saliency, decision.likely))
    return found


def test_an_alarm_that_goes_on_is_explained_by_what_was_seen_a_moment_ago(recogniser: Recogniser) -> None:
    found = turns(recogniser, SETTLED + 6)
    assert [kind for kind, _, _ in found[SETTLED:]] == ["none", "none", "all"] * 2
    for earlier, later in ((SETTLED - 1, SETTLED), (SETTLED - 1, SETTLED + 1), (SETTLED + 2, SETTLED + 3)):
        assert found[later][1] is found[earlier][1]
        assert found[earlier][1].any()
    assert found[SETTLED + 2][1] is not found[SETTLED][1]


def test_who_is_likely_does_not_change_because_the_saliency_was_left_out(recogniser: Recogniser) -> None:
    (fresh,) = recogniser.defend(crop(0).pixels[None])
    ((kept, decision),) = looked_at(recogniser, [crop(0)], Turn(None, "none", [fresh]))
    np.testing.assert_array_equal(kept.defended, fresh.defended)
    assert decision == looked_at(recogniser, [crop(0)], Turn())[0][1]


def test_what_was_said_of_other_people_explains_nothing(recogniser: Recogniser) -> None:
    (fresh,) = recogniser.defend(crop(0).pixels[None])
    others = replace(fresh, labels=tuple(reversed(fresh.labels)))
    ((one, _),) = looked_at(recogniser, [crop(0)], Turn(None, "none", [others]))
    assert not one.explained

"""What clips come to, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.policy import Policy
from realtime.verdicts.agreement import VerdictRules
from tools.evaluation.clip_figures import EVERY, Clip, movements, verdict_figures, ways_of_adding_up
from tools.evaluation.clip_looks import ALARM, NOTHING, UNKNOWN, Looks

LABELS = ("Ada", "Bob", "Cyd")
ADA, BOB, LIKELY_ADA = (0.98, 0.01, 0.01), (0.01, 0.98, 0.01), (0.7, 0.1, 0.1)
RULES = VerdictRules()


def looks(rows: list[tuple[float, ...]], said: list[int] | None = None) -> Looks:
    """Decisions, each as often as pictures lie between two that count, at the same moment."""
    each = np.repeat(np.array(rows, np.float32), EVERY, axis=0)
    views = np.zeros((len(each), 0, len(LABELS)), np.float32)
    return Looks(np.array(said or [UNKNOWN], np.int16), np.zeros(len(each)), each, each, views)


def test_verdicts_are_counted_by_what_is_said_at_the_end_and_at_any_time():
    said = [
        ([NOTHING, UNKNOWN, 0, 0], 0),  # right, from the third picture on
        ([UNKNOWN, 1, 0, UNKNOWN], 0),  # wrong once, right once, unknown at the end
        ([ALARM, UNKNOWN, UNKNOWN, UNKNOWN], 0),
        ([UNKNOWN] * 4, None),
        ([UNKNOWN, 2, UNKNOWN, 1], None),
    ]
    found = verdict_figures([Clip(looks([ADA], words), whose) for words, whose in said])
    people, strangers = found["people"], found["strangers"]
    assert [people[key]["right"] for key in ("right_at_the_end", "right_at_any_time", "wrong_at_any_time")] == [1, 2, 1]
    assert people["alarm_at_any_time"] == people["wrong_at_any_time"]
    assert people["share_of_time_right"] == {"mean": pytest.approx((2 / 4 + 1 / 4) / 3, abs=1e-4), "n": 3}
    assert people["seconds_until_right"] == pytest.approx(2 / 25)
    assert (strangers["named_at_the_end"]["right"], strangers["named_at_the_end"]["n"]) == (1, 2)
    assert strangers["share_of_time_named"]["mean"] == 0.25


def test_what_four_sure_looks_and_four_likely_ones_say_together_no_vote_says():
    # threshold 0.8: four decisions name Ada, and five have to; the roots of 0.98 * 0.7 are 0.83 of 0.83 + 0.09
    policy = Policy(threshold=0.8)
    clips = [Clip(looks([LIKELY_ADA, ADA] * 4), 0), Clip(looks([LIKELY_ADA, ADA] * 4), None)]
    found = ways_of_adding_up(clips, LABELS, (), policy, RULES)
    assert [found[way]["people_right"]["mean"] for way in ("newest alone", "votes", "pooled")] == [1, 0, 1]
    assert [found[way]["strangers_named"]["mean"] for way in ("newest alone", "votes", "pooled")] == [1, 0, 1]
    assert found["pooled"]["people_wrong"] == {"mean": 0, "n": 1}


def test_one_face_does_not_move_and_two_do_by_the_affinity_of_their_looks():
    clips = [Clip(looks([ADA] * 10), 0), Clip(looks([BOB] * 10), 1)]
    raw = movements(clips, LABELS, (), RULES)["raw"]
    apart = 2 * math.sqrt(0.98 * 0.01) + 0.01
    assert raw["one_person"]["0.001"] == pytest.approx(1, abs=1e-3)
    assert raw["two_people"]["0.5"] == pytest.approx(apart, abs=1e-3)
    assert (raw["n_looks"], raw["n_clips"], raw["n_other"]) == (4, 2, 2)
    by_bound = {row["bound"]: row for row in raw["moved"]}
    assert [by_bound[bound]["two_people_missed"]["share"] for bound in (0.2, 0.3)] == [1, 0]
    assert by_bound[0.9]["looks_of_one_person"]["share"] == 0


def test_pictures_of_one_person_are_not_two_people():
    assert movements([Clip(looks([ADA] * 10), 0)] * 2, LABELS, (), RULES)["raw"]["n_other"] == 0


def test_without_a_decision_there_is_nothing_to_say():
    empty = Clip(looks([]), 0)
    assert movements([empty], LABELS, (), RULES)["raw"]["one_person"]["0.5"] is None
    assert ways_of_adding_up([empty], LABELS, (), Policy(), RULES)["pooled"]["people_right"]["n"] == 0

"""Nothing that was decided on another face goes on to count: known is taken away, and earned again."""

import pytest
from looks import ADA, BOB, NOBODY, UNSURE, ZONES, everywhere, look

from models.policy import Policy, decide
from realtime.verdicts.agreement import CHANGING, NOT_CONFIDENT, NOT_ENOUGH_EVIDENCE, NOT_EVERY_VIEW, VerdictRules
from realtime.verdicts.verdict import VerdictKeeper, changing

POLICY = Policy(zone_confirm=0.5, further_confirm=0.5)
STEP = 0.1  # seconds between decisions

PIECES = {
    "A": everywhere(ADA),
    "B": everywhere(BOB),
    "n": everywhere(NOBODY),
    "u": everywhere(UNSURE),  # of Ada
    "l": look(ADA, {"eyewear": ADA, "lower_face": BOB}, zones=ZONES),  # one further view speaks for Bob
    "e": look(ADA, {"eyewear": (0.45, 0.4, 0.1)}, zones=ZONES),  # one view is unsure
    "1": look(ADA, {"eyewear": ADA, "lower_face": ADA}, zones=ZONES),
    "2": look(ADA, {"eyewear": ADA, "forehead": ADA}, zones=ZONES),
    "3": look(ADA, {"eyewear": ADA, "upper_left": ADA}, zones=ZONES),
}


def told(pieces: str, rules: VerdictRules | None = None, policy: Policy = POLICY) -> list[str]:
    """What is shown after each decision: a name, or a reason."""
    keeper, shown = VerdictKeeper(rules, policy), []
    for number, piece in enumerate(pieces):
        evidence, now = PIECES[piece], number * STEP
        keeper.add(1, 0, decide(evidence.seen, policy), evidence, now, now)
        verdict = keeper.verdict(1, now)
        assert verdict is not None
        shown.append(verdict.identity or verdict.claimed or verdict.reason)
    return shown


def test_five_decisions_make_a_name_known() -> None:
    assert told("AAAAA") == [NOT_ENOUGH_EVIDENCE] * 4 + ["Ada"]


@pytest.mark.parametrize("contrary", ["B", "n", "l"])
def test_the_first_contrary_decision_takes_known_away(contrary: str) -> None:
    assert told("AAAAAAAA" + contrary)[-2:] == ["Ada", CHANGING]


@pytest.mark.parametrize("unsure", ["u", "e"])
def test_a_decision_that_is_only_unsure_does_not(unsure: str) -> None:
    assert told("AAAAAAAA" + unsure)[-1] == "Ada"


def test_five_of_eight_decisions_bring_it_back() -> None:
    assert told("AAAAAlAAAAA")[5:] == [CHANGING] * 5 + ["Ada"]


def test_a_name_is_not_told_while_the_newest_decision_speaks_against_it() -> None:
    assert told("AAAAlA")[-2:] == [NOT_ENOUGH_EVIDENCE, "Ada"]


def test_nothing_decided_on_the_face_before_counts_for_the_one_after() -> None:
    assert told("AAAAAAAABBBBB")[8:] == [CHANGING] * 4 + ["Bob"]


def test_a_face_that_looks_otherwise_begins_anew_also_where_nobody_was_known() -> None:
    assert told("AAAABBBBB")[4:] == [CHANGING] * 4 + ["Bob"]


def test_nobody_is_known_before_every_view_was_looked_at() -> None:
    assert told("121212")[-1] == NOT_EVERY_VIEW
    assert told("123123")[-1] == "Ada"
    assert told("31212121")[-1] == "Ada"
    assert told("312121212")[-1] == NOT_EVERY_VIEW  # the look at the upper left has left the window


def test_below_the_floor_nobody_is_known() -> None:
    lax = Policy(threshold=0.3, zone_confirm=0.3, further_confirm=0.3, floor=0.3)
    assert told("uuuuu", VerdictRules(confidence=0.8), lax)[-1] == NOT_CONFIDENT
    assert told("uuuuu", VerdictRules(confidence=0.3), lax)[-1] == "Ada"


def test_people_who_are_enrolled_meanwhile_leave_no_name_that_was_decided_without_them() -> None:
    keeper = VerdictKeeper(None, POLICY)
    for number in range(8):
        keeper.add(1, 0, decide(PIECES["A"], POLICY), PIECES["A"], number * STEP, number * STEP)
    other = look((0.01, 0.98), {"eyewear": (0.01, 0.98)}, zones=("eyewear",), labels=("Dan", "Ada"))
    keeper.add(1, 0, decide(other, POLICY), other, 1.0, 1.0)
    verdict = keeper.verdict(1, 1.0)
    assert verdict is not None
    assert verdict.state == "unknown"


def test_the_keeper_says_when_a_face_may_be_another() -> None:
    keeper = VerdictKeeper(None, POLICY)
    changed = []
    for number, piece in enumerate("AAAAAAAlABB"):
        evidence = PIECES[piece]
        changed.append(keeper.add(1, 0, decide(evidence.seen, POLICY), evidence, number * STEP, number * STEP))
    assert [number for number, one in enumerate(changed) if one] == [7, 9]


def test_a_late_result_of_an_older_frame_takes_nothing_back() -> None:
    keeper = VerdictKeeper(None, POLICY)
    for number in range(8):
        keeper.add(1, 0, decide(PIECES["A"], POLICY), PIECES["A"], number * STEP, number * STEP)
    assert not keeper.add(1, 0, decide(PIECES["B"], POLICY), PIECES["B"], 0.35, 1.0)
    verdict = keeper.verdict(1, 1.0)
    assert verdict is not None
    assert verdict.identity == "Ada"


def test_confidence_is_that_of_the_weakest_view_and_never_more_than_the_raw_one() -> None:
    weak = look(ADA, {**dict.fromkeys(ZONES, ADA), "forehead": (0.85, 0.1, 0.05)}, zones=ZONES)
    keeper = VerdictKeeper(None, POLICY)
    for number in range(5):
        keeper.add(1, 0, decide(weak, POLICY), weak, number * STEP, number * STEP)
    verdict = keeper.verdict(1, 0.4)
    assert verdict is not None
    assert (verdict.identity, verdict.view) == ("Ada", "forehead")
    assert verdict.confidence == pytest.approx(0.85, abs=1e-3)
    assert verdict.view_probability == pytest.approx(0.85, abs=1e-3)
    assert verdict.raw_probability == pytest.approx(0.98, abs=1e-3)


def test_a_changing_face_shows_no_name() -> None:
    keeper = VerdictKeeper(None, POLICY)
    for number in range(5):
        keeper.add(1, 0, decide(PIECES["A"], POLICY), PIECES["A"], number * STEP, number * STEP)
    verdict = keeper.verdict(1, 0.4)
    assert verdict is not None
    shown = changing(verdict)
    assert (shown.state, shown.identity, shown.reason) == ("unknown", None, CHANGING)

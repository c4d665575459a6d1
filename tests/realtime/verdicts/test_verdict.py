from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from pydantic import ValidationError

from models.evidence import CropEvidence
from models.policy import Decision, Policy, decide
from realtime.verdicts.agreement import CHANGING, NOT_CONFIDENT, NOT_ENOUGH_EVIDENCE, TIE, VerdictRules
from realtime.verdicts.verdict import VerdictKeeper

STRANGER = "stranger"
SIDE = 8


def evidence(raw=(0.95, 0.05, 0), defended=(0.9, 0.1, 0), views=(), zones=()):
    return CropEvidence(
        labels=("Ada", "Bob", "Cyd"),
        raw=np.array(raw, np.float32),
        saliency=np.zeros((SIDE, SIDE), np.float32),
        mask=np.zeros((SIDE, SIDE), bool),
        masked_crop=np.zeros((SIDE, SIDE, 3), np.uint8),
        defended=np.array(defended, np.float32),
        views=np.array(views, np.float32).reshape(-1, 3),
        zones=zones,
    )


def piece_of(code):
    """The decision, and the evidence of a recogniser without zones for it.

    A known, a! attacked claiming A, a!b the same with B likely, ? stranger; A:0.6 known where the masked view gives
    A 0.6.
    """
    code, _, confidence = code.partition(":")
    sure = float(confidence or 0.9)
    numbers = {"a": 0, "b": 1, "c": 2}
    names = {"a": "Ada", "b": "Bob", "c": "Cyd"}
    if code == "?":
        return Decision("unknown", None, None, None, 0.4, STRANGER), evidence((0.4, 0.35, 0.25), (0.3, 0.4, 0.3))
    if "!" in code:
        claimed, likely = code.split("!")
        decision = Decision(
            "suspected_attack", None, names[claimed], names.get(likely), sure, "not borne out", "saliency"
        )
        return decision, evidence(given(numbers[claimed], 0.9), given(numbers.get(likely, 2 - numbers[claimed]), 0.7))
    number = numbers[code.lower()]
    return Decision("known", names[code.lower()], None, None, sure, ""), evidence(
        given(number, 0.95), given(number, sure)
    )


def given(number, probability):
    """So much for one name, the rest in equal parts."""
    row = np.full(3, (1 - probability) / 2, np.float32)
    row[number] = probability
    return row


def keeper_after(codes, rules=None, track=1):
    keeper = VerdictKeeper(rules or VerdictRules(confidence=0.8))
    for second, code in enumerate(codes.split()):
        if code.startswith("-"):
            keeper.refuse(track, 0, code[1:], captured_at=second - 0.1, now=float(second))
        else:
            keeper.add(track, 0, *piece_of(code), captured_at=second - 0.1, now=float(second))
    return keeper, float(len(codes.split()) - 1)


FOUR_OF_EIGHT = VerdictRules(agreement=4)
TWO_OF_FIVE = VerdictRules(agreement=2, window=5)


@pytest.mark.parametrize(
    ("codes", "rules", "state", "who", "reason"),
    [
        ("A", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("A A A A", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("A A A A A", None, "known", "Ada", ""),
        ("A A A B A A", None, "unknown", None, CHANGING),  # another face, twice
        ("B B B A A A A A", None, "known", "Ada", ""),
        ("A A A A B B B B", None, "unknown", None, CHANGING),
        ("A A A A A B B B B", None, "unknown", None, CHANGING),
        ("A A A A A B B B B B", None, "known", "Bob", ""),
        ("A:0.6 A:0.6 A:0.6 A:0.6 A:0.6", None, "unknown", None, NOT_CONFIDENT),
        ("A:0.6 A:0.9 A:0.9 A:0.9 A:0.9", None, "known", "Ada", ""),  # mean 0.84
        ("? ? ? ? ?", None, "unknown", None, STRANGER),
        ("? ? ? ?", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("A A A A ? ? ? ?", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("b! b! b! b!", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("b! b! b! b! b!", None, "suspected_attack", "Bob", "not borne out"),
        ("A A A b! b! b! b! b!", None, "suspected_attack", "Bob", "not borne out"),
        ("b! a! b! c! a! b! c! a!", None, "unknown", None, NOT_ENOUGH_EVIDENCE),  # a stranger's wandering names
        ("A A A A b! b! b! b!", FOUR_OF_EIGHT, "suspected_attack", "Bob", "not borne out"),  # precedence, no tie
        ("A A A A B B B B", FOUR_OF_EIGHT, "known", "Bob", ""),  # what was decided on another face is no tie
        ("a! a! a! a! b! b! b! b!", FOUR_OF_EIGHT, "unknown", None, TIE),
        ("A a! a! b! b!", TWO_OF_FIVE, "unknown", None, TIE),
        ("A A a! a! B", TWO_OF_FIVE, "suspected_attack", "Ada", "not borne out"),
        ("C a! a! b! b! C C", VerdictRules(agreement=2, window=7), "unknown", None, TIE),  # not known meanwhile
        ("-blurred", None, "unknown", None, "blurred"),
        ("-blurred -profile", None, "unknown", None, "profile"),
        ("A A A A -profile", None, "unknown", None, "profile"),
        ("-profile A", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("-blurred -blurred A", None, "unknown", None, NOT_ENOUGH_EVIDENCE),
        ("A -b A -b A -b A -b A", None, "known", "Ada", ""),  # refusals do not outvote decisions
        ("A A A A A -blurred", None, "unknown", None, "blurred"),  # the name is 1 s old
        ("A A A A A -blurred -blurred A", None, "known", "Ada", ""),
        ("A A A A A -blurred -blurred -blurred A", None, "unknown", None, NOT_ENOUGH_EVIDENCE),  # refused for 2 s
    ],
)
def test_the_last_decisions_make_the_verdict(codes, rules, state, who, reason):
    keeper, now = keeper_after(codes, rules)
    verdict = keeper.verdict(1, now)
    assert verdict is not None
    assert (verdict.state, verdict.identity or verdict.claimed, verdict.reason) == (state, who, reason)
    assert (verdict.identity is not None) == (state == "known")
    assert (verdict.claimed is not None) == (state == "suspected_attack")


@pytest.mark.parametrize(
    ("codes", "likely"),
    [
        ("b! b! b! b! b!", None),
        ("b!a b!a b! b! b!", "Ada"),
        ("b!a b!a b!c b!a b!", "Ada"),
        ("b!a b!a b!c b!c b!", None),
    ],
)
def test_the_likely_person_of_an_attack_is_the_one_most_views_name(codes, likely):
    keeper, now = keeper_after(codes)
    verdict = keeper.verdict(1, now)
    assert verdict.state == "suspected_attack"
    assert verdict.likely == likely


@pytest.mark.parametrize(
    ("codes", "state", "likely"),
    [
        ("b!a c!a b!a c!a b!a c!a b!a c!a", "suspected_attack", "Ada"),  # the claims wander, who it is does not
        ("A A A A b!a b!a b!a b!a", "suspected_attack", "Ada"),
        ("A A A A b!a ? ? ?", "unknown", None),  # one alarm among known faces makes none
        ("A A A A A b!a b!a b!a", "unknown", None),
        ("b!a c!a b!a c!a ? ? ? ?", "unknown", None),
        ("b!a:0.6 c!a:0.6 b!a:0.6 c!a:0.6 b!a:0.6", "unknown", None),
    ],
)
def test_a_name_that_enough_decisions_tell_is_told_whatever_else_is_claimed(codes, state, likely):
    keeper, now = keeper_after(codes)
    verdict = keeper.verdict(1, now)
    assert (verdict.state, verdict.likely) == (state, likely)


def test_a_refused_crop_does_not_take_back_a_fresh_name_at_once():
    keeper = VerdictKeeper()
    for _ in range(5):
        keeper.add(1, 0, *piece_of("A"), 0.0, 0.0)
    keeper.refuse(1, 0, "blurred", 0.2, 0.2)
    assert keeper.verdict(1, 0.3).identity == "Ada"
    assert keeper.verdict(1, 0.3).age(0.3) == pytest.approx(0.3)  # the refusal did not make it younger
    verdict = keeper.verdict(1, 0.6)
    assert (verdict.state, verdict.reason, verdict.identity, verdict.evidence) == ("unknown", "blurred", None, None)


def test_a_verdict_is_as_old_as_its_newest_decision():
    keeper, now = keeper_after("A A A A A")
    verdict = keeper.verdict(1, now + 0.25)
    assert verdict.decided_at == now
    assert verdict.captured_at == pytest.approx(now - 0.1)
    assert verdict.age(now + 0.25) == pytest.approx(0.25)


@pytest.mark.parametrize(("later", "stale"), [(0.0, False), (0.5, False), (0.51, True), (60.0, True)])
def test_a_verdict_older_than_half_a_second_is_stale(later, stale):
    keeper, now = keeper_after("A A A A A")
    assert keeper.verdict(1, now + later).stale is stale


def test_the_age_limit_can_be_set():
    keeper, now = keeper_after("A A A A A", VerdictRules(max_age=2.0))
    assert not keeper.verdict(1, now + 1.9).stale
    assert keeper.verdict(1, now + 2.1).stale


def test_a_track_found_again_starts_without_evidence():
    keeper, now = keeper_after("A A A A A")
    keeper.add(1, 1, *piece_of("B"), now + 1, now + 1)
    verdict = keeper.verdict(1, now + 1)
    assert (verdict.epoch, verdict.state, verdict.reason) == (1, "unknown", NOT_ENOUGH_EVIDENCE)


def test_a_track_found_again_has_no_verdict_before_its_first_decision():
    keeper, now = keeper_after("A A A A A")
    assert keeper.verdict(1, now, epoch=0).identity == "Ada"
    assert keeper.verdict(1, now, epoch=1) is None


def test_a_late_result_of_an_earlier_epoch_is_ignored():
    keeper = VerdictKeeper(VerdictRules(agreement=1))
    keeper.add(1, 1, *piece_of("B"), captured_at=2.0, now=2.1)
    keeper.add(1, 0, *piece_of("A"), captured_at=1.9, now=2.2)
    assert keeper.verdict(1, 2.2).identity == "Bob"


def test_decisions_count_in_the_order_of_capture_not_of_arrival():
    rules = VerdictRules(agreement=1, window=1)
    keeper = VerdictKeeper(rules)
    keeper.add(1, 0, *piece_of("B"), captured_at=2.0, now=2.1)
    keeper.add(1, 0, *piece_of("A"), captured_at=1.9, now=2.2)
    verdict = keeper.verdict(1, 2.2)
    assert (verdict.identity, verdict.decided_at) == ("Bob", 2.1)


def test_refusals_that_come_while_the_model_works_do_not_discard_its_result():
    keeper = VerdictKeeper()
    for pass_ in range(5):
        for frame in range(1, 6):
            keeper.refuse(1, 0, "blurred", captured_at=pass_ + frame / 25, now=pass_ + frame / 25)
        keeper.add(1, 0, *piece_of("A"), captured_at=pass_ + 0.0, now=pass_ + 0.2)
    assert keeper.verdict(1, 4.3).identity == "Ada"


def test_a_refusal_of_an_older_frame_is_ignored():
    keeper = VerdictKeeper(VerdictRules(agreement=1))
    keeper.add(1, 0, *piece_of("A"), captured_at=2.0, now=2.1)
    keeper.refuse(1, 0, "blurred", captured_at=1.9, now=2.2)
    verdict = keeper.verdict(1, 9.0)
    assert (verdict.identity, verdict.stale) == ("Ada", True)


def test_tracks_do_not_share_evidence():
    keeper = VerdictKeeper()
    for second in range(5):
        keeper.add(1, 0, *piece_of("A"), second, second)
        keeper.add(2, 0, *piece_of("B"), second, second)
    assert keeper.verdict(1, 4).identity == "Ada"
    assert keeper.verdict(2, 4).identity == "Bob"
    assert keeper.verdict(3, 4) is None


def test_forgotten_tracks_have_no_verdict():
    keeper = VerdictKeeper()
    for track in (1, 2, 3):
        keeper.refuse(track, 0, "blurred", 0.0, 0.0)
    keeper.keep_only([3, 99])
    assert [track for track in (1, 2, 3) if keeper.verdict(track, 0.0)] == [3]


def test_the_verdict_carries_the_newest_evidence_that_agrees():
    keeper = VerdictKeeper()
    pictures = [evidence() for _ in range(7)]
    for second, (code, picture) in enumerate(zip(["b!", "b!", "b!", "b!", "b!", "?", "?"], pictures, strict=True)):
        keeper.add(1, 0, piece_of(code)[0], picture, second, second)
    verdict = keeper.verdict(1, 6)
    assert verdict.evidence is pictures[4]
    assert verdict.decision.claimed == "Bob"


EYES_AND_MOUTH = ("eyewear", "lower_face")


@pytest.mark.parametrize(
    ("picture", "said", "raw", "view"),
    [
        (evidence(), ("known", "Ada", None), 0.95, 0.9),
        (evidence((0.1, 0.9, 0), (0.85, 0.15, 0)), ("suspected_attack", "Bob", "Ada"), 0.9, 0.85),
        (evidence((0.05, 0.95, 0), (0.6, 0.3, 0.1)), ("suspected_attack", "Bob", None), 0.95, 0.3),
        (evidence((0.4, 0.35, 0.25), (0.1, 0.5, 0.4)), ("unknown", None, None), 0.4, 0.1),
        (
            evidence((0.1, 0.9, 0), views=((0.97, 0.03, 0),), zones=("eyewear",)),
            ("suspected_attack", "Bob", "Ada"),
            0.9,
            0.97,
        ),
        (  # the view without eyewear likes Cyd best; the two witnesses together say Bob
            evidence((0.99, 0.01, 0), (0, 0.9, 0.1), ((0.02, 0.45, 0.53),), ("eyewear",)),
            ("suspected_attack", "Ada", "Bob"),
            0.99,
            0.45,
        ),
        (  # only the view without the lower face says somebody else
            evidence((0.99, 0.01, 0), views=((0.99, 0.01, 0), (0.01, 0, 0.99)), zones=EYES_AND_MOUTH),
            ("suspected_attack", "Ada", "Ada"),
            0.99,
            0.01,
        ),
        (  # the undefended view names nobody with confidence, the one without eyewear does
            evidence((0.3, 0.6, 0.1), views=((0.95, 0.05, 0), (0.02, 0, 0.98)), zones=EYES_AND_MOUTH),
            ("suspected_attack", "Ada", "Ada"),
            0.3,
            0.02,
        ),
    ],
)
def test_probabilities_are_those_of_the_names_that_are_told(picture, said, raw, view):
    keeper = VerdictKeeper(VerdictRules(agreement=1))
    keeper.add(1, 0, decide(picture, Policy()), picture, 0.0, 0.0)
    verdict = keeper.verdict(1, 0.0)
    assert (verdict.state, verdict.identity or verdict.claimed, verdict.likely) == said
    assert verdict.raw_probability == pytest.approx(raw, abs=1e-4)
    assert verdict.view_probability == pytest.approx(view, abs=1e-4)


def test_a_verdict_cannot_be_changed():
    keeper, now = keeper_after("A")
    with pytest.raises(FrozenInstanceError):
        keeper.verdict(1, now).state = "known"


@pytest.mark.parametrize(
    "rules",
    [{"agreement": 0}, {"agreement": 9}, {"confidence": 1.2}, {"max_age": 0.0}, {"max_age": float("nan")}],
)
def test_impossible_rules_are_refused(rules):
    with pytest.raises(ValidationError, match=next(iter(rules))):
        VerdictRules(**rules)

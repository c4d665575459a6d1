"""Decisions from hand-written evidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence import CropEvidence
from models.policy import Policy, decide, last_word

LABELS = ("Ann", "Bob", "Cid")


def evidence(raw: list[float], defended: list[float], **views: list[float]) -> CropEvidence:
    return CropEvidence(
        labels=LABELS,
        raw=np.array(raw, np.float32),
        saliency=np.zeros((2, 2), np.float32),
        mask=np.zeros((2, 2), bool),
        masked_crop=np.zeros((2, 2, 3), np.uint8),
        defended=np.array(defended, np.float32),
        views=np.array(list(views.values()), np.float32).reshape(-1, 3),
        zones=tuple(views),
    )


ANN, BOB, UNSURE = [0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.4, 0.3, 0.3]


@pytest.mark.parametrize(
    ("raw", "defended", "state", "identity", "claimed", "likely"),
    [
        (ANN, ANN, "known", "Ann", None, None),
        (ANN, [0.6, 0.2, 0.2], "known", "Ann", None, None),  # borne out with less confidence
        (ANN, BOB, "suspected_attack", None, "Ann", "Bob"),
        (ANN, UNSURE, "suspected_attack", None, "Ann", None),  # the name did not survive the mask
        (ANN, [0.2, 0.6, 0.2], "suspected_attack", None, "Ann", None),  # Bob, but not confidently
        (UNSURE, UNSURE, "unknown", None, None, None),
        (UNSURE, BOB, "unknown", None, None, None),
    ],
)
def test_two_views(
    raw: list[float],
    defended: list[float],
    state: str,
    identity: str | None,
    claimed: str | None,
    likely: str | None,
) -> None:
    decision = decide(evidence(raw, defended), Policy())
    assert (decision.state, decision.identity, decision.claimed, decision.likely) == (state, identity, claimed, likely)


def test_a_dissenting_zone_view_is_named() -> None:
    decision = decide(evidence(ANN, ANN, eyes=BOB, mouth=ANN), Policy())
    assert (decision.state, decision.dissent, decision.likely) == ("suspected_attack", "eyes", "Bob")


def test_known_is_as_confident_as_its_weakest_view() -> None:
    assert decide(evidence(ANN, [0.7, 0.2, 0.1]), Policy()).confidence == pytest.approx(0.7)


def test_the_thresholds_are_those_of_the_policy() -> None:
    assert decide(evidence(ANN, ANN), Policy(threshold=0.95)).state == "unknown"


@pytest.mark.parametrize(
    ("raw", "eyes", "state", "identity", "claimed", "likely"),
    [
        (ANN, ANN, "known", "Ann", None, None),
        (ANN, [0.6, 0.2, 0.2], "known", "Ann", None, None),
        (ANN, [0.3, 0.4, 0.3], "unknown", None, None, None),  # neither bears Ann out nor speaks against her
        (ANN, BOB, "suspected_attack", None, "Ann", "Bob"),
        (ANN, [0.05, 0.6, 0.35], "suspected_attack", None, "Ann", "Bob"),
        (ANN, [0.05, 0.45, 0.5], "suspected_attack", None, "Ann", "Cid"),
        (UNSURE, ANN, "known", "Ann", None, None),  # dodging glasses do not hide who the rest of the face shows
        (UNSURE, [0.6, 0.2, 0.2], "unknown", None, None, None),
    ],
)
def test_a_zone_view_has_a_veto(
    raw: list[float], eyes: list[float], state: str, identity: str | None, claimed: str | None, likely: str | None
) -> None:
    decision = decide(evidence(raw, raw, eyes=eyes), Policy())
    assert (decision.state, decision.identity, decision.claimed, decision.likely) == (state, identity, claimed, likely)


def test_an_undecided_zone_is_named_in_the_reason() -> None:
    assert "eyewear zone" in decide(evidence(ANN, ANN, eyewear=[0.3, 0.4, 0.3]), Policy()).reason


probabilities = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(lambda p: [x / sum(p) for x in p])


@given(raw=probabilities, defended=probabilities, view=probabilities)
def test_whatever_glasses_do_to_the_other_views_nobody_is_known_whom_the_zone_view_does_not_name(
    raw: list[float], defended: list[float], view: list[float]
) -> None:
    policy = Policy()
    decision = decide(evidence(raw, defended, eyewear=view), policy)
    if decision.state == "known":
        assert view[LABELS.index(str(decision.identity))] >= policy.zone_confirm - 1e-6


@given(raw=probabilities, defended=probabilities, other=st.floats(0, 1))
def test_whatever_glasses_do_to_the_other_views_a_name_that_the_zone_view_is_sure_of_is_told(
    raw: list[float], defended: list[float], other: float
) -> None:
    view = [0.85, 0.15 * other, 0.15 * (1 - other)]
    decision = decide(evidence(raw, defended, eyewear=view), Policy())
    assert "Ann" in (decision.identity, decision.likely)


@pytest.mark.parametrize(
    ("raw", "eyes", "word"),
    [
        (ANN, BOB, "eyes"),
        (ANN, [0.2, 0.7, 0.1], "raw"),  # it leaves room for Ann
        (UNSURE, BOB, "eyes"),  # whether the raw view is confident or not
        (UNSURE, ANN, "raw"),
    ],
)
def test_the_last_word_is_the_raw_view_s_unless_the_zone_speaks_against_its_name(
    raw: list[float], eyes: list[float], word: str
) -> None:
    wanted = {"raw": raw, "eyes": eyes}[word]
    np.testing.assert_allclose(last_word(evidence(raw, BOB, eyes=eyes), Policy(zone_dissent=0.1)), wanted)


def test_without_zones_the_last_word_is_the_masked_view_s() -> None:
    np.testing.assert_allclose(last_word(evidence(ANN, BOB), Policy()), BOB)


@given(raw=probabilities, view=probabilities)
def test_the_last_word_names_nobody_whom_the_zone_view_rules_out(raw: list[float], view: list[float]) -> None:
    policy = Policy()
    found = evidence(raw, raw, eyewear=view)
    named = int(last_word(found, policy).argmax())
    assert found.views[0, named] > policy.zone_dissent or named == int(np.argmax(found.views[0]))

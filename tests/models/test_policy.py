"""Decisions from hand-written evidence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence import CropEvidence
from models.policy import Policy, decide, decide_undefended, final_probabilities

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


@pytest.mark.parametrize(
    ("eyes", "lead", "state"),
    [
        ([0.5, 0.2, 0.3], 0, "known"),
        ([0.5, 0.2, 0.25], 2, "known"),  # exactly twice what anybody else gets
        ([0.5, 0.2, 0.26], 2, "unknown"),
        ([0.5, 0.0, 0.5], 1, "known"),  # two lead alike
        ([0.3, 0.7, 0.0], 1, "unknown"),  # somebody else leads, but not surely
        ([0.15, 0.85, 0.0], 1, "suspected_attack"),  # and surely
    ],
)
def test_whoever_is_known_leads_in_the_first_zones_view_by_what_is_asked(eyes, lead, state) -> None:
    policy = Policy(zone_confirm=0.1, zone_dissent=0.05, zone_lead=lead)
    assert decide(evidence(ANN, ANN, eyes=eyes), policy).state == state
    assert bool(policy.allowed(0, np.array(eyes, np.float32))[0]) == (state == "known")


def test_a_further_view_in_which_somebody_else_leads_leaves_unknown_and_raises_no_alarm() -> None:
    views = evidence(ANN, ANN, eyes=ANN, mouth=[0.5, 0.4, 0.1])
    policy = Policy(further_confirm=0.1)
    assert decide(views, policy).state == "known"
    assert decide(views, replace(policy, further_lead=1.2)).state == "known"
    found = decide(views, replace(policy, further_lead=1.3))
    assert (found.state, found.reason) == ("unknown", "a view is not confident enough")


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=5), st.floats(1.01, 20))
def test_a_view_that_asks_for_a_lead_allows_one_person_at_most(given_to, lead) -> None:
    assert Policy(zone_confirm=0.01, zone_lead=lead).allowed(0, np.array(given_to, np.float32)).sum() <= 1


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
        (ANN, [0.05, 0.6, 0.35], "suspected_attack", None, "Ann", "Bob"),  # more likely than not
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


@pytest.mark.parametrize(
    ("raw", "eyes", "mouth", "state", "dissent", "claimed", "likely"),
    [
        (ANN, ANN, [0.3, 0.4, 0.3], "known", None, None, None),  # a further zone's own threshold, 0.25
        (ANN, ANN, BOB, "suspected_attack", "mouth", "Ann", "Ann"),  # a mask, or glasses that draw on the mouth's view
        (ANN, ANN, [0.2, 0.4, 0.4], "suspected_attack", "mouth", "Ann", "Ann"),  # undecided: told all the same
        (ANN, BOB, ANN, "suspected_attack", "eyes", "Ann", "Bob"),
        (ANN, BOB, BOB, "suspected_attack", "eyes", "Ann", "Bob"),
        (ANN, [0.3, 0.4, 0.3], ANN, "unknown", None, None, None),
        (UNSURE, ANN, BOB, "suspected_attack", "mouth", "Ann", "Ann"),
    ],
)
def test_a_further_zone_s_view_has_a_veto_and_tells_no_name(
    raw: list[float],
    eyes: list[float],
    mouth: list[float],
    state: str,
    dissent: str | None,
    claimed: str | None,
    likely: str | None,
) -> None:
    decision = decide(evidence(raw, raw, eyes=eyes, mouth=mouth), Policy(further_confirm=0.25))
    found = (decision.state, decision.dissent, decision.claimed, decision.likely)
    assert found == (state, dissent, claimed, likely)
    assert decision.identity == ("Ann" if state == "known" else None)


NAN = [float("nan")] * 3


@pytest.mark.parametrize("zones", [{}, {"eyewear": ANN}, {"eyewear": NAN}, {"eyewear": ANN, "lower_face": NAN}])
@pytest.mark.parametrize(("raw", "defended"), [(ANN, ANN), (ANN, NAN), (NAN, ANN), (NAN, NAN)])
def test_by_what_is_no_number_nobody_is_known(raw: list[float], defended: list[float], zones: dict) -> None:
    one = evidence(raw, defended, **zones)
    bear_out = list(zones.values()) if zones else [raw, defended]  # where the zone's view is sure, it gives the name
    assert (decide(one, Policy()).state == "known") == all(view is ANN for view in bear_out)
    assert (decide_undefended(one, Policy()).state == "known") == (raw is ANN)


@given(raw=probabilities, defended=probabilities, eyes=probabilities, mouth=probabilities)
def test_whatever_is_done_to_the_other_views_nobody_is_known_whom_a_zone_s_view_does_not_name(
    raw: list[float], defended: list[float], eyes: list[float], mouth: list[float]
) -> None:
    policy = Policy(zone_confirm=0.5, further_confirm=0.3)
    decision = decide(evidence(raw, defended, eyewear=eyes, lower_face=mouth), policy)
    if decision.state == "known":
        who = LABELS.index(str(decision.identity))
        assert eyes[who] >= policy.zone_confirm - 1e-6
        assert mouth[who] >= policy.further_confirm - 1e-6


@given(raw=probabilities, defended=probabilities, other=st.floats(0, 1), mouth=probabilities)
def test_whatever_glasses_do_to_the_other_views_a_name_that_the_zone_view_is_sure_of_is_told(
    raw: list[float], defended: list[float], other: float, mouth: list[float]
) -> None:
    view = [0.85, 0.15 * other, 0.15 * (1 - other)]
    for views in ({"eyewear": view}, {"eyewear": view, "lower_face": mouth}):
        decision = decide(evidence(raw, defended, **views), Policy())
        assert "Ann" in (decision.identity, decision.likely)


@pytest.mark.parametrize(
    ("masked", "likely"),
    [
        ([0.2, 0.7, 0.1], "Bob"),  # 0.42 against 0.035
        ([0.2, 0.1, 0.7], "Cid"),  # 0.06 against 0.245
        ([0.2, 0.3, 0.5], "Bob"),  # 0.18 against 0.175: the zone's view tips the scales
        ([1.0, 0.0, 0.0], "Bob"),  # it only names who is ruled out: the zone's word alone
    ],
)
def test_zone_and_saliency_view_are_two_witnesses_of_who_the_wearer_is(masked: list[float], likely: str) -> None:
    assert decide(evidence(ANN, masked, eyes=[0.05, 0.6, 0.35]), Policy()).likely == likely


def test_where_the_zone_s_view_is_sure_it_needs_no_witness() -> None:
    assert decide(evidence(ANN, [0.0, 0.0, 1.0], eyes=BOB), Policy(zone_dissent=0.01)).likely == "Bob"


def test_nobody_is_likely_whom_the_witnesses_do_not_make_more_likely_than_not_nor_the_claimed() -> None:
    policy = Policy(confirm=0.52)
    assert decide(evidence(ANN, [0.2, 0.3, 0.5], eyes=[0.05, 0.6, 0.35]), policy).likely is None
    assert decide(evidence(ANN, ANN, eyes=[0.3, 0.4, 0.3], mouth=BOB), policy).likely is None  # still most likely Ann


@pytest.mark.parametrize(
    ("raw", "eyes", "word"),
    [
        (ANN, BOB, [0, 0.9 * 0.6, 0]),  # nobody but Bob gets more than 0.1
        (ANN, [0.05, 0.6, 0.35], [0, 0.6 * 0.6, 0.35 * 0.3]),
        (ANN, [0.2, 0.7, 0.1], ANN),  # the zone's view leaves room for Ann
        (UNSURE, BOB, [0, 0.9 * 0.6, 0]),  # whether the raw view is confident or not
        (UNSURE, ANN, UNSURE),
    ],
)
def test_the_final_name_is_the_raw_view_s_unless_the_zone_speaks_against_its_name(
    raw: list[float], eyes: list[float], word: list[float]
) -> None:
    found = final_probabilities(evidence(raw, [0.1, 0.6, 0.3], eyes=eyes), Policy(zone_dissent=0.1))
    np.testing.assert_allclose(found, np.array(word) / sum(word), rtol=1e-6)


def test_without_zones_the_final_name_is_the_masked_view_s() -> None:
    np.testing.assert_allclose(final_probabilities(evidence(ANN, BOB), Policy()), BOB)


@given(raw=probabilities, masked=probabilities, view=probabilities, mouth=probabilities)
def test_the_final_name_names_nobody_whom_the_zone_view_rules_out(
    raw: list[float], masked: list[float], view: list[float], mouth: list[float]
) -> None:
    policy = Policy()
    found = evidence(raw, masked, eyewear=view, lower_face=mouth)
    named = int(final_probabilities(found, policy).argmax())
    assert found.views[0, named] > policy.zone_dissent or named == int(np.argmax(found.views[0]))


def test_whoever_is_known_has_the_floor_in_every_view() -> None:
    policy = Policy(zone_confirm=0.05, further_confirm=0.01, floor=0.2)
    assert [policy.least_of(0), policy.least_of(1)] == [0.2, 0.2]
    low = evidence(ANN, ANN, eyes=ANN, mouth=[0.1, 0.45, 0.45])
    assert decide(low, policy).state == "unknown"
    assert decide(low, Policy(zone_confirm=0.05, further_confirm=0.01, floor=0.05)).identity == "Ann"

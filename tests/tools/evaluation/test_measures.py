"""The columns of the evaluation, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, ttest_1samp

from models.policy import Decision, Policy
from tools.attacks.settings import Settings
from tools.crafting.attacked_faces import NOBODY, Attacked
from tools.evaluation.answered import Answered
from tools.evaluation.curves import fooled, success_by_iteration
from tools.evaluation.defences import Defence
from tools.evaluation.measures import (
    attack_figures,
    clean_figures,
    goodness,
    goodness_interval,
    mask_figures,
    mean,
    over_people,
    share,
    state_figures,
    worst_case,
)
from tools.evaluation.published import PUBLISHED
from tools.evaluation.status import mean_curve, on_record, status
from tools.evaluation.table import Table, shown


def scores(*named: tuple[int, float]) -> np.ndarray:
    """Probabilities of three people: (who is named, how surely), the rest shared by the others."""
    rows = np.array([[(1 - p) / 2] * 3 for _, p in named], np.float32)
    for row, (label, p) in zip(rows, named, strict=True):
        row[label] = p
    return rows


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson 1927, written out."""
    z, p = 1.959963984540054, right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return centre - half, centre + half


# Five impersonations of person 2 by 0, 0, 1, 1, 0. Undefended: four fooled (one of them weakly), one not.
LABELS, TARGETS = np.array([0, 0, 1, 1, 0]), np.full(5, 2)
RAW = scores((2, 0.9), (2, 0.95), (2, 0.6), (2, 0.9), (0, 0.9))
DEFENDED = scores((0, 0.9), (2, 0.85), (1, 0.5), (0, 0.7), (0, 0.6))


@pytest.mark.parametrize(("right", "n"), [(0, 7), (13, 60), (51, 60), (4, 4)])
def test_shares_carry_their_wilson_interval(right, n):
    figure = share(np.arange(n) < right)
    assert (figure["right"], figure["n"]) == (right, n)
    assert (figure["low"], figure["high"]) == pytest.approx(wilson(right, n), abs=6e-5)


def test_the_published_table_has_the_intervals_of_sixty_images():
    cells = [PUBLISHED["attack success"][0], PUBLISHED["attack success"][1]]
    cells += [PUBLISHED["adversarial accuracy"][1], PUBLISHED["defence success (of all)"][1]]
    shares = [[round(100 * cell[key], 1) for key in ("share", "low", "high")] for cell in cells]
    assert [one[0] for one in shares] == [85.0, 21.7, 60.0, 56.7]
    assert [[round(value) for value in one[1:]] for one in shares] == [[74, 92], [13, 34], [47, 71], [44, 68]]


def test_means_carry_students_interval():
    values = np.array([0.1, 0.5, 0.4, 0.9])
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    figure = mean(np.array([*values, np.nan]))
    assert figure["n"] == 4
    assert (figure["low"], figure["high"]) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert mean(np.array([])) == {"mean": None, "low": None, "high": None, "n": 0}


def test_an_impersonation_is_counted_by_hand():
    figures = attack_figures(RAW, DEFENDED, LABELS, TARGETS, 0.8)
    counts = {key: (f["right"], f["n"]) for key, f in figures.items() if isinstance(f, dict) and "right" in f}
    assert counts == {
        "accuracy": (3, 5),
        "targeted_success": (1, 5),
        "untargeted_success": (2, 5),
        "defence_success_of_all": (2, 5),  # the fifth was right before, so the defence did not save it
        "defence_success_of_fooled": (2, 4),
        "abstained_at_threshold": (3, 5),
        "accuracy_at_threshold": (1, 5),
        "targeted_success_at_threshold": (1, 5),
        "untargeted_success_at_threshold": (1, 5),
        "defence_success_of_all_at_threshold": (1, 5),
        "defence_success_of_fooled_at_threshold": (1, 3),
    }
    assert figures["confidence_target"]["mean"] == pytest.approx((0.05 + 0.85 + 0.25 + 0.15 + 0.2) / 5, abs=1e-4)


def test_goodness_comes_from_the_three_mean_confidences():
    clean = clean_figures(scores((0, 0.9), (1, 0.7)), np.array([0, 1]), np.zeros((2, 4, 4), np.bool_), 0.8)
    assert clean["accuracy_at_threshold"]["right"] == 1
    attacked = attack_figures(RAW, DEFENDED, LABELS, TARGETS, 0.8)
    real = (0.9 + 0.075 + 0.5 + 0.15 + 0.6) / 5
    assert goodness(clean, attacked) == pytest.approx((0.8 + real + 1 - 0.3) / 3, abs=1e-3)


def test_the_interval_of_goodness_is_that_of_a_sum_of_two_means():
    random = np.random.default_rng(3)
    clean, attacked = random.dirichlet((4, 1, 1), 300), random.dirichlet((1, 1, 2), 200)
    labels, targets = np.zeros(200, np.int64), np.full(200, 2)
    found = goodness_interval(clean, np.zeros(300, np.int64), attacked, labels, targets)
    margin = attacked[:, 0] - attacked[:, 2]
    spread = (clean[:, 0].var(ddof=1) / 300 + margin.var(ddof=1) / 200) ** 0.5 / 3
    value = (clean[:, 0].mean() + margin.mean() + 1) / 3
    assert found is not None
    assert (found["low"], found["high"]) == pytest.approx(norm.interval(0.95, value, spread), abs=0.003)
    assert goodness_interval(clean, labels, attacked, labels, np.full(200, NOBODY)) is None


def test_a_dodge_and_a_stranger_leave_blank_what_has_no_meaning():
    dodge = attack_figures(RAW, DEFENDED, LABELS, np.full(5, NOBODY), 0.8)
    assert dodge["targeted_success"] is dodge["confidence_target"] is None
    assert dodge["untargeted_success"]["right"] == 2
    assert (dodge["defence_success_of_fooled"]["right"], dodge["defence_success_of_fooled"]["n"]) == (2, 4)
    stranger = attack_figures(RAW, DEFENDED, np.full(5, NOBODY), TARGETS, 0.8)
    assert stranger["accuracy"] is stranger["defence_success_of_all"] is None
    assert stranger["targeted_success"]["right"] == 1
    assert goodness({"confidence_real": mean(np.ones(2))}, stranger) is None


def test_the_verdicts_of_a_dodge_add_up_to_all_faces():
    def known(name: str) -> Decision:
        return Decision.known(name, 0.9)

    unknown = Decision.unknown("stranger", 0.3)
    attack = Decision.suspected("c", 0.9, likely="a")
    decisions = [known("a"), known("b"), attack, unknown, known("c"), attack]
    labels, targets = np.array([0, 0, 0, 0, 0, 1]), np.array([2] * 6)
    lost = np.array([False, False, False, False, True, False])
    found = state_figures(decisions, labels, targets, ("a", "b", "c"), lost=lost)
    assert {key: figure["right"] for key, figure in found.items()} == {
        "known_true": 1,
        "known_other": 1,
        "known_target": 0,  # the fifth says c, but no face would have been found
        "suspected_attack": 2,
        "likely_true": 1,
        "likely_other": 1,
        "right_name_told": 2,
        "unknown": 1,
        "no_face_found": 1,
    }
    parts = ("known_true", "known_other", "suspected_attack", "unknown", "no_face_found")
    assert sum(found[key]["right"] for key in parts) == found["unknown"]["n"] == 6


def test_faces_of_few_people_have_an_interval_over_the_people():
    """Two people: drawn anew they are both the first (1 in 4), both the second (1 in 4), or one each."""
    flags, people = np.array([True, True, True, False, False]), ["a", "a", "a", "b", "b"]
    assert over_people(flags, people) == {"people": 2, "low": 0.0, "high": 1.0}
    same = np.array([True, False, False, True, False, False])
    assert over_people(same, ["a", "a", "a", "b", "b", "b"]) == {"people": 2, "low": 0.3333, "high": 0.3333}
    assert over_people(flags, ["a"] * 5) == {"people": 1, "low": None, "high": None}
    one_of_twelve = np.repeat(np.arange(12) == 0, 25)  # one lookalike: 25 of 300, by Wilson 5.7-12.0 %
    twelve = over_people(one_of_twelve, [str(place // 25) for place in range(300)])
    assert twelve["low"] == 0
    assert twelve["high"] == pytest.approx(3 / 12)  # binomial(12, 1/12): at most 3 in 97.5 % of the draws
    assert share(flags, people=people)["over_people"]["people"] == 2


def test_masks_are_compared_with_the_frame_by_hand():
    region = np.zeros((4, 4), np.bool_)
    region[0] = True  # four pixels
    masks = np.zeros((3, 4, 4), np.bool_)
    masks[0, :2] = True  # all four and four more
    masks[1, 0, :2] = True  # two of the four
    figures = mask_figures(masks, region)
    assert figures["recall"]["mean"] == pytest.approx((1 + 0.5 + 0) / 3, abs=1e-4)
    assert (figures["precision"]["mean"], figures["precision"]["n"]) == (0.75, 2)  # an empty mask has none
    assert figures["iou"]["mean"] == pytest.approx((0.5 + 0.5 + 0) / 3, abs=1e-4)
    assert figures["masked"]["mean"] == pytest.approx((0.5 + 0.125) / 3, abs=1e-4)


def test_the_worst_case_lets_the_attacker_choose_for_every_pair():
    successes = {"A0": np.array([1, 0, 0, 0, 1], np.bool_), "A1": np.array([1, 1, 0, 0], np.bool_)}
    successes["A2"] = np.array([0, 0, 1, 0], np.bool_)
    case = worst_case(successes)
    assert case["strongest"] == "A1"
    assert (case["strongest_success"]["right"], case["strongest_success"]["n"]) == (2, 4)
    assert case["any_attack_success"]["right"] == 3


def faces(curves: list[list[float]], **changes: object) -> Attacked:
    count = len(curves)
    nothing = np.zeros((count, 2, 2, 3), np.uint8)
    records = tuple({"loss_curve": curve, "iterations": len(curve) - 1} for curve in curves)
    made = Attacked("A1", Settings(steps=3), nothing, nothing, np.zeros(count, int), np.ones(count, int),
                    np.ones((2, 2), np.bool_), records)  # fmt: skip
    return replace(made, **changes)


def test_an_attack_weaker_than_the_oblivious_one_leaves_its_cell_blank():
    some = faces([[3.0, 1.0]] * 2)
    weak = status(some, np.array([False, False]), np.array([True, False, True]))
    assert not weak["shown"]
    assert status(some, np.array([True, False]), np.array([True, False, True]))["shown"]
    strong = status(faces([[1.0]] * 40), np.array([True] * 36 + [False] * 4), None)
    assert strong["breaks_the_row"]
    assert strong["shown"]
    assert not status(faces([[1.0]] * 40), np.array([True] * 35 + [False] * 5), None)["shown"]


def test_queries_have_no_gradient_to_check():
    settings = {kind: replace(Settings(), attack=kind) for kind in ("A1", "A7")}
    found = {kind: status(faces([[2.0, 1.0]], settings=one), np.ones(1, bool), None) for kind, one in settings.items()}
    assert "test_defended" in found["A1"]["gradient_check"]
    assert found["A7"]["gradient_check"] is None


def test_nothing_is_said_of_a_comparison_that_was_not_made():
    alone = status(faces([[3.0, 1.0]] * 2), np.array([True, False]), None)
    assert alone["at_least_as_good_as_A0"] is None
    assert alone["shown"]
    some = faces([[3.0, 1.0]] * 10)
    assert on_record(some, share(np.zeros(10, bool)), None)["at_least_as_good_as_A0"] is None
    few, more = share(np.arange(10) < 1), share(np.arange(10) < 3)
    assert on_record(some, more, few)["shown"]
    weaker = on_record(some, few, more)
    assert (weaker["at_least_as_good_as_A0"], weaker["shown"]) == (False, False)


def test_what_the_fixed_views_rule_out_and_what_the_start_colour_wins_are_counted_apart():
    some = faces([[3.0], [3.0], [-0.1], [3.0, 2.0]])
    for record, first in zip(some.records, (-1, -1, 0, -1), strict=True):
        record["first_fooled"] = first
    found = on_record(some, share(np.zeros(4, bool)), None)
    assert (found["ruled_out_by_fixed_views"], found["won_without_a_step"]) == (2, 1)


def test_a_finished_picture_keeps_its_last_loss_in_the_mean_curve():
    assert mean_curve([[4.0, 2.0], [4.0, None, 1.0, 0.0]]) == [4.0, 1.5, 1.0]
    assert len(mean_curve([list(np.linspace(5, 1, 301))])) == 31


def test_a_picture_counts_from_the_step_on_that_first_fooled_and_only_if_its_png_does():
    some = faces([[1.0]] * 5)
    for record, first in zip(some.records, (0, 1, 1, 2, None), strict=True):  # the stop at 0.95 plays no part
        record |= {"first_fooled": first, "iterations": 3}
    defended = np.array([[0.1, 0.9]] * 2 + [[0.9, 0.1]] + [[0.1, 0.9]] * 2)
    answered = Answered(RAW[:, :2], defended, np.zeros((5, 2, 2), np.bool_), np.zeros((5, 0, 2)), defended)
    success = fooled(some, answered, Defence("none", "", {}, None), ("A", "B"))
    assert success.tolist() == [True, True, False, True, True]
    np.testing.assert_allclose(success_by_iteration(some, success), [0.2, 0.4, 0.6, 0.6])


def test_records_of_an_earlier_version_give_no_curve_by_iteration():
    some = faces([[1.0]] * 2)
    some.records[0]["first_fooled"] = 1
    assert success_by_iteration(some, np.ones(2, np.bool_)) is None


def test_over_zone_views_success_is_the_policys_known_target():
    some = replace(faces([[1.0]] * 2), targets=np.array([1, 1]))
    scores = np.array([[0.1, 0.9], [0.4, 0.6]], np.float32)  # the target is named both times, known only once
    answered = Answered(scores, scores, np.zeros((2, 2, 2), np.bool_), scores[:, None], scores)
    defence = Defence("zones", "", {}, None, policy=Policy(threshold=0.8, zone_confirm=0.5), zones=("eyewear",))
    assert fooled(some, answered, defence, ("A", "B")).tolist() == [True, False]


def test_cells_show_counts_shares_and_intervals_and_blanks():
    assert shown(share(np.array([True, False]))) == "1 of 2: 50.0 % (9-91)"
    assert shown(None) == shown(share(np.zeros(0, np.bool_))) == ""
    table = Table("T", "note", ["a", "b"], [["<x>", "1"]])
    assert "| <x> | 1 |" in table.markdown()
    assert "&lt;x&gt;" in table.html()

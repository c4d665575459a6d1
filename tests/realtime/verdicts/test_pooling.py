"""What several looks say together, worked out by hand."""

import math

import numpy as np
import pytest
from looks import ADA, BOB, NOBODY, UNSURE, ZONES, everywhere, look

from models.policy import Policy
from realtime.verdicts.pooling import (
    HALF_LIFE,
    affinity,
    is_contrary,
    moved,
    pooled,
    pooled_evidence,
    weakest,
)


def test_eight_equal_looks_are_no_surer_than_one() -> None:
    one = np.array([[0.6, 0.3, 0.1]], np.float32)
    np.testing.assert_allclose(pooled(np.repeat(one, 8, axis=0), np.ones(8)), one[0], atol=1e-6)


def test_looks_are_pooled_by_the_mean_of_their_logarithms() -> None:
    looks = np.array([[0.8, 0.2], [0.2, 0.2]], np.float32)  # nobody: 0 and 0.6
    ada, bob, nobody = math.sqrt(0.8 * 0.2), 0.2, math.sqrt(1e-6 * 0.6)
    total = ada + bob + nobody
    np.testing.assert_allclose(pooled(looks, np.ones(2)), [ada / total, bob / total], rtol=1e-3)


def test_an_older_look_weighs_less() -> None:
    both = [look(ADA), look(BOB)]
    even = pooled_evidence(both, [5.0, 5.0]).raw
    assert even[0] == pytest.approx(even[1])
    later = pooled_evidence(both, [5.0, 5.0 + HALF_LIFE])  # weights 1/2 and 1
    assert later.raw[1] / later.raw[0] == pytest.approx((0.98 / 0.01) ** (0.5 / 1.5), rel=1e-3)


def test_a_view_that_was_not_looked_at_says_nothing() -> None:
    first = look(ADA, {"eyewear": ADA, "lower_face": UNSURE}, zones=ZONES)
    second = look(ADA, {"eyewear": ADA, "forehead": BOB}, zones=ZONES)
    together = pooled_evidence([first, second], [0.0, 0.0])
    assert together.looked.tolist() == [True, True, True, False]
    np.testing.assert_allclose(together.views[1], UNSURE, atol=1e-6)
    np.testing.assert_allclose(together.views[2], BOB, atol=1e-6)
    assert together.seen.zones == ("eyewear", "lower_face", "forehead")


def test_without_zones_the_masked_view_is_pooled_too() -> None:
    together = pooled_evidence([look(ADA, defended=ADA), look(ADA, defended=BOB)], [0.0, 0.0])
    assert together.defended[0] == pytest.approx(together.defended[1])


@pytest.mark.parametrize(
    ("raw", "eyewear", "contrary"),
    [
        (ADA, ADA, False),
        (ADA, UNSURE, False),  # only unsure
        (UNSURE, (0.3, 0.29, 0.2), False),
        (ADA, (0.3, 0.31, 0.2), True),  # somebody else more
        (ADA, (0.3, 0.1, 0.2), True),  # nobody more: 0.4
        (BOB, ADA, True),
        (NOBODY, ADA, True),
    ],
)
def test_contrary_is_a_view_that_gives_somebody_else_or_nobody_more(raw, eyewear, contrary) -> None:
    assert is_contrary(look(raw, {"eyewear": eyewear}, zones=ZONES), "Ada", Policy()) is contrary


@pytest.mark.parametrize(
    ("view", "contrary"),
    [
        ((0.2, 0.1, 0.1), False),  # nobody 0.6, but 0.2 is what the policy asks
        ((0.19, 0.1, 0.1), True),
        ((0.3, 0.59, 0.1), False),  # somebody else more, within the lead of a half
        ((0.3, 0.61, 0.05), True),
    ],
)
def test_a_further_view_is_contrary_only_where_the_policy_does_not_let_it_pass(view, contrary) -> None:
    policy = Policy(further_confirm=0.2, further_lead=0.5)
    assert is_contrary(look(ADA, {"eyewear": ADA, "forehead": view}, zones=ZONES), "Ada", policy) is contrary


def test_a_view_that_was_not_looked_at_is_not_contrary() -> None:
    assert not is_contrary(look(ADA, {"eyewear": ADA}, zones=ZONES), "Ada", Policy())


def test_a_name_that_is_no_longer_among_the_people_is_contradicted() -> None:
    assert is_contrary(everywhere(ADA), "Dan", Policy())


def test_the_weakest_view_is_one_of_those_that_were_looked_at() -> None:
    evidence = look(ADA, {"eyewear": UNSURE, "forehead": (0.7, 0.1, 0.1)}, zones=ZONES)
    assert weakest(evidence, "Ada") == ("eyewear", pytest.approx(0.4))
    assert weakest(look(ADA, defended=UNSURE), "Ada") == ("saliency", pytest.approx(0.4))


def test_affinity_is_one_for_equal_looks_and_small_for_two_people() -> None:
    ada, bob = np.array(ADA, np.float32), np.array(BOB, np.float32)
    assert affinity(ada, ada) == pytest.approx(1)
    assert affinity(ada, bob) == pytest.approx(2 * math.sqrt(0.98 * 0.01) + 0.01, abs=1e-4)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (everywhere(ADA), (False, False)),
        (everywhere(UNSURE), (False, False)),
        (everywhere(BOB), (True, True)),
        (look(BOB, {"eyewear": ADA}, zones=ZONES), (True, False)),  # something was put on
        (look(ADA, {"eyewear": BOB}, zones=ZONES), (False, True)),
    ],
)
def test_a_face_has_moved_where_it_looks_like_another(now, expected) -> None:
    assert moved(everywhere(ADA), now) == expected

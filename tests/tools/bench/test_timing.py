"""Cases in turn, ratios, spreads: by hand."""

import pytest

from tools.bench.timing import in_turn, paired_ratio, spread


def test_cases_run_in_turn_and_the_first_rounds_are_not_counted() -> None:
    ran: list[str] = []
    times = in_turn({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, repeats=3, warm_up=2)
    assert ran == ["a", "b"] * 5
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_taken_round_by_round() -> None:
    # while the machine was busy (third round) both took ten times as long
    ratio = paired_ratio([2.0, 4.4, 20.0], [1.0, 2.0, 10.0])
    assert (ratio["p50"], ratio["n"]) == (2.0, 3)
    assert ratio["p25"] == 2.0
    assert ratio["p75"] == pytest.approx(2.1)


def test_the_spread_is_that_of_the_sorted_values() -> None:
    assert spread([5.0, 1.0, 4.0, 2.0, 3.0]) == {"p50": 3.0, "p25": 2.0, "p75": 4.0, "p95": 4.8, "n": 5}

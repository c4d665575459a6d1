"""What is said of a clip, in five groups."""

from tools.drill import grouped, in_words


def test_every_answer_is_in_one_group_and_shares_are_of_all() -> None:
    counts = {"Known(Ada)": 3, "Known(Bob)": 4, "Known(Cyd)": 1, "SuspectedAttack(Bob)": 8, "Unknown": 4}
    found = grouped(counts, "Ada", "Bob")
    assert {kind: one["right"] for kind, one in found.items()} == {
        "own_name": 3, "target": 4, "another_name": 1, "alarm": 8, "nobody": 4,
    }  # fmt: skip
    assert found["alarm"]["share"] == 0.4
    assert sum(one["share"] for one in found.values()) == 1
    assert in_words(found).startswith("own name 15.0 %, target 20.0 %")


def test_nothing_said_is_nothing_counted() -> None:
    assert all(one["share"] == 0 and one["n"] == 0 for one in grouped({}, "Ada", "Bob").values())
    assert in_words(grouped({}, "Ada", "Bob")) == ""

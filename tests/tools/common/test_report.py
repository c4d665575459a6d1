"""Shares with their intervals, and what a threshold does to known people and strangers."""

import numpy as np
import pytest

from tools.common.report import confusion, in_hundred, open_set, percent, proportion, separation


def test_wilson_intervals_agree_with_the_published_table() -> None:
    found = proportion(34, 60)  # the article's 56.7 %, whose interval the field notes give as 44-68 %
    assert (found["low"], found["high"]) == (pytest.approx(0.441, abs=0.001), pytest.approx(0.684, abs=0.001))
    assert percent(found) == "56.7 % (44.1-68.4, n = 60)"
    assert percent(proportion(0, 0)) == "not measured"
    assert (in_hundred(found), in_hundred(found, 2), in_hundred(proportion(0, 0))) == ("56.7", "56.67", "-")


def test_open_set_figures_of_a_hand_worked_case() -> None:
    known = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], dtype=np.float32)
    strangers = np.array([[0.7, 0.3], [0.5, 0.5]], dtype=np.float32)
    (point,) = open_set(known, np.array([0, 0, 0]), strangers, [0.65])
    assert point["known_right"]["right"] == 1
    assert point["known_wrong"]["right"] == 1
    assert point["strangers_named"]["right"] == 1
    assert separation(known, strangers) == pytest.approx(5 / 6)  # of six pairs only 0.6 < 0.7 is the wrong way round
    assert confusion(known, np.array([0, 0, 0]), 2).tolist() == [[2, 1], [0, 0]]

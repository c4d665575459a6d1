"""The table of the article (inovex, "Defense Against the Dark Arts"), with the intervals that it does not give.

Its percentages fit n = 60 attacked images (51, 13, 8, 36, 34 of 60). Of the clean 98.2 % the n is unknown (no
count of 60 gives it), so it stands without an interval. Its denominators are mixed: 56.7 is 34 of all 60,
54.9 at confidence 0.8 fits 28 of the 51 that had fooled the net.
"""

from __future__ import annotations

from tools.common.report import Proportion, proportion

N = 60
GOODNESS = 0.7768

_OF_UNKNOWN_N: Proportion = {"share": 0.982, "low": None, "high": None, "right": 0, "n": 0}
PUBLISHED: dict[str, tuple[Proportion, Proportion]] = {
    "attack success": (proportion(51, N), proportion(13, N)),
    "adversarial accuracy": (proportion(8, N), proportion(36, N)),
    "clean accuracy": (_OF_UNKNOWN_N, proportion(56, N)),
    "defence success (of all)": (proportion(0, 0), proportion(34, N)),
    "adversarial accuracy at 0.8": (proportion(0, 0), proportion(32, N)),
    "clean accuracy at 0.8": (proportion(0, 0), proportion(56, N)),
    "attack success at 0.8": (proportion(0, 0), proportion(10, N)),
    "defence success at 0.8 (of those that fooled)": (proportion(0, 0), proportion(28, 51)),
}
"""Metric -> (before, after) the defence."""

"""Whether the figure of an attack that knows the defence may be shown: a weak attack would praise the defence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.attacks.registry import ATTACKS
from tools.common.report import Proportion
from tools.crafting.attacked_faces import Attacked
from tools.evaluation.defences import ZONES
from tools.evaluation.figures import Figures, Status
from tools.evaluation.measures import Flags
from tools.evaluation.plan import Scenario

FINISHED_SHARE, FINISHED_PAIRS = 0.9, 40
GRADIENT_CHECK = "tests/tools/attacks/test_defended.py and test_guided_chain.py (finite differences)"
CURVE_POINTS = 31


def status(faces: Attacked, succeeded: Flags, oblivious: Flags | None) -> Status:
    """Whether an adaptive attack may count: it breaks the row, or its loss curve and a check of its gradient
    are on record; and it does at least as well as the oblivious attack on the same pairs (None: that was not run).

    ``shown`` False: the cell stays blank, since a low figure would praise the defence for a weak attack.
    """
    at_least = None
    if oblivious is not None and min(len(succeeded), len(oblivious)):
        n = min(len(succeeded), len(oblivious))
        at_least = int(succeeded[:n].sum()) >= int(oblivious[:n].sum())
    breaks = len(succeeded) >= FINISHED_PAIRS and float(succeeded.mean()) >= FINISHED_SHARE
    curve = mean_curve([record.get("loss_curve", []) for record in faces.records])
    takes_gradients = ATTACKS[faces.settings.attack].takes_gradients
    recorded = len(curve) > 1
    return {
        "breaks_the_row": breaks,
        "at_least_as_good_as_A0": at_least,
        "loss_curve": curve,
        "gradient_check": GRADIENT_CHECK if takes_gradients else None,
        "shown": breaks or (at_least is not False and recorded),
    }


def on_record(faces: Attacked, known: Proportion, oblivious: Proportion | None) -> Status:
    """The status of an attack on the policy over zones: what its fixed views rule out takes no step at all, and
    where they leave the target the best of the start colours may do; both are counted.

    Its share of Known(target) is held against that of the oblivious attack with the same thing worn, where that was
    run: on other pairs, since each attack draws among the faces that its own bundle names rightly.
    """
    passed = known["share"] or 0.0
    at_least = None if oblivious is None else passed >= (oblivious["share"] or 0.0)
    curves = [record.get("loss_curve", []) for record in faces.records]
    without_a_step = [record for record, curve in zip(faces.records, curves, strict=True) if len(curve) <= 1]
    won_at_once = sum(record.get("first_fooled", -1) == 0 for record in without_a_step)
    return {
        "ruled_out_by_fixed_views": len(without_a_step) - won_at_once,
        "won_without_a_step": won_at_once,
        "breaks_the_row": len(faces) >= FINISHED_PAIRS and passed >= FINISHED_SHARE,
        "at_least_as_good_as_A0": at_least,
        "loss_curve": mean_curve(curves),
        "gradient_check": "tests/tools/attacks/test_zone_policy.py",
        "shown": at_least is not False,
    }


def oblivious_to(scenario: Scenario, figures: Figures) -> Proportion | None:
    """What the zones let through of the oblivious attack with the same thing worn, or by strangers."""
    beside = figures["attacks"].get(scenario.beside)
    found = None if beside is None else beside["rows"].get(ZONES)
    return None if found is None else found["states"]["known_target"]


def mean_curve(curves: Sequence[Sequence[float | None]]) -> list[float]:
    """The mean over the pictures at up to ``CURVE_POINTS`` steps from the first to the last; a finished picture
    keeps its last value."""
    known = [[value for value in curve if value is not None] for curve in curves]
    known = [curve for curve in known if curve]
    if not known:
        return []
    longest = max(map(len, known))
    padded = np.array([curve + [curve[-1]] * (longest - len(curve)) for curve in known])
    mean = padded.mean(axis=0)
    chosen = np.unique(np.linspace(0, longest - 1, min(longest, CURVE_POINTS)).round().astype(int))
    return [round(float(value), 4) for value in mean[chosen]]

"""The certified policy: nothing that is worn in one place, anywhere, can make anybody known.

Whatever one thing inside the cover shows, one view of the face never saw it (``models.crop.zones.COVER``). Where every
view has to give whoever is known at least ``floor``, that view alone keeps everybody else unknown, if it gives nobody
else so much. So the floor rises until that holds for a stated share of the faces; each rise leaves more people
without a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np

from models.policy import Policy
from tools.common.report import Proportion
from tools.evaluation.measures import share
from tools.evaluation.policy_rates import covered
from tools.tuning.policy import FINE, STEP, Figures, Views, figures_of

#: Floors of the curve that is printed.
SHOWN = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Point(TypedDict):
    """What one floor buys, the certificate on people's and on strangers' faces, and what the policy then says."""

    floor: float
    certified_people: Proportion
    certified_strangers: Proportion
    people: Figures
    strangers: Figures


def certified(start: Policy, clean: Views, others: Views, least: float) -> Policy:
    """``start`` with the lowest floor that certifies a share ``least`` of both groups, or the highest that is tried."""
    floors = (*np.arange(0, STEP, FINE), *np.arange(STEP, 0.9, STEP), *np.arange(0.9, 1, STEP / 4), 0.999)
    tried = [replace(start, floor=floor) for floor in floors]
    kept = (one for one in tried if all(bool(_held(one, faces).mean() >= least) for faces in (clean, others)))
    found = next(kept, tried[-1])
    return replace(found, floor=round(float(found.floor), 4))


def curve(start: Policy, clean: Views, others: Views, floors: Sequence[float] = SHOWN) -> list[Point]:
    """What each floor buys and costs."""
    return [point(replace(start, floor=floor), clean, others) for floor in floors]


def point(policy: Policy, clean: Views, others: Views, *, people: Sequence[str] | None = None) -> Point:
    """What this policy buys and costs; ``people``: whose each of the strangers' faces is."""
    return {
        "floor": policy.floor,
        "certified_people": share(_held(policy, clean)),
        "certified_strangers": share(_held(policy, others), people=people),
        "people": figures_of(policy, clean),
        "strangers": figures_of(policy, others),
    }


def _held(policy: Policy, faces: Views) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return covered(policy, faces.zones, faces.labels)

"""A patch whose place the attacker chooses: it is tried everywhere for a few steps, then where that went best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from models.arrays import Bools, Bytes
from tools.attacks.base import AttackResult, Watch
from tools.attacks.batch import MASK_LEVEL, seeds_of
from tools.attacks.zone_policy import ZonePolicy, keep_better


class PlacedPatch(ZonePolicy):
    """The attack on the policy over zone views, with the ``mask``'s shape moved to where it does most.

    Args:
        places: how many places an axis are tried, evenly from edge to edge of the crop.
        scouting: steps at each place, once; then each of ``restarts`` has ``steps`` at the next best place.
    """

    def __init__(self, *, places: int = 6, scouting: int = 5, **options: Any) -> None:
        super().__init__(**options)
        if places < 1 or scouting < 0:
            raise ValueError(f"{places} places and {scouting} steps at each: give at least 1 and 0")
        self.places, self.scouting = places, scouting

    def run(
        self,
        model: nn.Module,
        crops: Bytes,
        labels: Sequence[int] | npt.NDArray[np.integer],
        targets: Sequence[int] | npt.NDArray[np.integer] | None = None,
        *,
        mask: npt.NDArray[np.generic],
        seed: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> AttackResult:
        """As ``ZonePolicy.run``; ``mask`` is (S, S), and ``regions`` of the result say where it was put."""
        moved = moved_everywhere(mask, self.places)
        given, goals = np.asarray(labels), None if targets is None else np.asarray(targets)
        seeds = seeds_of(seed, len(crops))
        whole = super().run
        steps, restarts = self.steps, self.restarts
        try:
            self.steps, self.restarts = self.scouting, 1
            tried = [whole(model, crops, given, goals, mask=one, seed=seeds) for one in moved]
            worth = np.stack([one.confidences + one.reached for one in tried])  # what succeeds already comes first
            order = np.argsort(-worth, axis=0, kind="stable")[:restarts]
            self.steps = steps
            best = whole(model, crops, given, goals, mask=moved[order[0]], seed=seeds, watch=watch)
            regions = moved[order[0]]
            for rank, places in enumerate(order[1:], 1):
                left = np.flatnonzero(~best.reached)
                if len(left) == 0:
                    break
                own, where = [seeds[i] + 7919 * rank for i in left], moved[places[left]]
                wanted = None if goals is None else goals[left]
                again = whole(model, crops[left], given[left], wanted, mask=where, seed=own, watch=watch)
                better = keep_better(best, left, again)
                regions[left[better]] = where[better]
        finally:
            self.steps, self.restarts = steps, restarts
        return replace(best, regions=regions)


def moved_everywhere(mask: npt.NDArray[np.generic], places: int) -> Bools:
    """(places ** 2, S, S): the shape of the mask (S, S), moved within the crop; with one place an axis, to the middle.

    Raises:
        ValueError: a mask without a pixel.
    """
    shape = np.asarray(mask, np.float32) >= MASK_LEVEL
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    if not len(rows):
        raise ValueError("a mask without a pixel leaves nothing to attack with")
    cut = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = len(shape)

    def starts(side: int) -> list[int]:
        first, last = (0.0, float(size - side)) if places > 1 else ((size - side) / 2,) * 2
        return [int(start) for start in np.linspace(first, last, places).round()]

    moved = np.zeros((places**2, size, size), np.bool_)
    corners = [(top, left) for top in starts(cut.shape[0]) for left in starts(cut.shape[1])]
    for one, (top, left) in zip(moved, corners, strict=True):
        one[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return moved

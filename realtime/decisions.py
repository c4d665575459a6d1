"""From crops to decisions: the recogniser is asked, and what it found is noted for the tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from models.arrays import Bools
from models.evidence import CropEvidence, Explaining
from models.policy import Decision, decide, decide_undefended
from realtime.board import Board
from realtime.metrics import Meter, verdict_name
from realtime.recogniser import FaceRecogniser, Unanswered
from realtime.schedule import Schedule
from realtime.types import FaceCrop

_FREELY = nullcontext()


@dataclass(frozen=True)
class Turn:
    """What is looked at of some crops: ``looked`` (N, V), the views, None: all; and ``explained``, by what their alarms
    are explained without looking at the saliency again, if all are."""

    looked: Bools | None = None
    explaining: Explaining = "alarms"
    explained: Sequence[CropEvidence] = ()

    @classmethod
    def of(cls, crops: Sequence[FaceCrop], views: int, schedule: Schedule | None) -> Turn:
        """As the schedule says; without one all views are looked at each time."""
        if schedule is None:
            return cls()
        looked = np.stack([schedule.views(crop, views) for crop in crops])
        kept = [one for crop in crops if (one := schedule.explanation(crop)) is not None]
        if len(kept) == len(crops):
            return cls(looked, "none", kept)
        return cls(looked, "all" if all(schedule.alarm_expected(crop) for crop in crops) else "alarms")


def looked_at(
    recogniser: FaceRecogniser, crops: Sequence[FaceCrop], turn: Turn, stage_ms: dict[str, float] | None = None
) -> list[tuple[CropEvidence, Decision]]:
    """What is found out about each crop, and what is decided of it. Raises ``Unanswered`` where nothing was."""
    pixels = np.stack([crop.pixels for crop in crops])
    evidence = recogniser.defend(pixels, quick=True, looked=turn.looked, explaining=turn.explaining, stage_ms=stage_ms)
    found = []
    for place, one in enumerate(evidence):
        decision = decide(one.seen, recogniser.policy)
        before = turn.explained[place] if turn.explained else None
        if before is not None and decision.state == "suspected_attack" and before.labels == one.labels:
            one = one.explained_by(before)
            decision = decide(one.seen, recogniser.policy)
        found.append((one, decision))
    return found


#: is told of every decision: (crop, evidence, undefended decision, defended decision)
OnDecision = Callable[[FaceCrop, CropEvidence, Decision, Decision], None]


def decide_crops(
    recogniser: FaceRecogniser,
    crops: Sequence[FaceCrop],
    board: Board,
    meter: Meter,
    listeners: Sequence[OnDecision] = (),
    schedule: Schedule | None = None,
    now: float | None = None,
    noting: AbstractContextManager[object] = _FREELY,
) -> None:
    """Decide on crops in one batch and note the results; without a schedule every view is looked at each time.

    ``now``: when they are decided, on the frames' clock; None: when the work is done. ``noting``: a lock held while
    schedule and listeners are used, but not while the recogniser works. Where it does not answer, the crops are counted
    and their faces are as urgent as new ones.
    """
    stage_ms: dict[str, float] = {}
    with noting:
        turn = Turn.of(crops, len(recogniser.zones), schedule)
    try:
        evidence = looked_at(recogniser, crops, turn, stage_ms)
    except Unanswered as reason:
        meter.unanswered(str(reason), len(crops))
        with noting:
            for crop in crops:
                if schedule is not None:
                    schedule.unanswered(crop)
        return
    meter.stages({stage: value / len(crops) for stage, value in stage_ms.items()})
    with noting:
        for crop, (one, decision) in zip(crops, evidence, strict=True):
            changed = board.put_decision(crop, decision, one, crop.frame.now() if now is None else now)
            meter.decided(decision, full=one.explained, light=not one.looked.all())
            if schedule is not None:
                schedule.note(crop, verdict_name(decision), one, changed=changed)
            for listener in listeners:
                listener(crop, one, decide_undefended(one, recogniser.policy), decision)

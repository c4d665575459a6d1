"""From crops to decisions: the recogniser is asked, and what it found is noted for the tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from models.evidence import CropEvidence
from models.policy import Decision, decide, decide_undefended
from realtime.board import Board
from realtime.metrics import Meter, verdict_name
from realtime.recogniser import FaceRecogniser, Unanswered
from realtime.schedule import Schedule
from realtime.types import FaceCrop

_FREELY = nullcontext()
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
    views = len(recogniser.zones)
    with noting:
        looked = None if schedule is None else np.stack([schedule.views(crop, views) for crop in crops])
        alarms = schedule is not None and all(schedule.alarm_expected(crop) for crop in crops)
    pixels = np.stack([crop.pixels for crop in crops])
    try:
        evidence = recogniser.defend(pixels, quick=True, looked=looked, alarms_expected=alarms, stage_ms=stage_ms)
    except Unanswered as reason:
        meter.unanswered(str(reason), len(crops))
        with noting:
            for crop in crops:
                if schedule is not None:
                    schedule.unanswered(crop)
        return
    meter.stages({stage: value / len(crops) for stage, value in stage_ms.items()})
    with noting:
        for crop, one in zip(crops, evidence, strict=True):
            decision = decide(one.seen, recogniser.policy)
            changed = board.put_decision(crop, decision, one, crop.frame.now() if now is None else now)
            meter.decided(decision, full=one.explained, light=not one.looked.all())
            if schedule is not None:
                schedule.note(crop, verdict_name(decision), one, changed=changed)
            for listener in listeners:
                listener(crop, one, decide_undefended(one, recogniser.policy), decision)

"""Which faces to decide on next, when there is time for a few only.

Every face has a moment by which it should have its next decision, and the earliest goes first: a new or
re-associated face as soon as it is seen, a face whose last decisions did not agree soon, any other within the time
for which its verdict counts as current. So new and changed faces come first, a known face that is overdue comes
before them, and what time is left is spent evenly. With n faces and r decisions a second nobody waits longer than
about n / r seconds beyond that time, however many new faces come.

Each decision looks at the face as it is, at the first zone's view and at two further views in turn: the one that is
least sure of the name, and the one that was not looked at for longest. So whoever speaks against a name goes on to be
asked, and every view is looked at within a verdict's window. On a settled face a view that was sure of the name rests
for one decision, unless the face looks otherwise now. A face whose last decision was an alarm is expected to raise the
next one too; while a settled face goes on alarming, its saliency is looked at in every third decision.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np

from models.arrays import Bools
from models.evidence import CropEvidence
from realtime.types import FaceCrop

#: A track of one camera: (camera, track number).
TrackKey = tuple[str, int]

SETTLED = 5  # decisions in a row with the same outcome, from which on a face is settled
SERVES = 3  # decisions in a row that one look at a settled face's saliency explains, while the alarm goes on
SOON = 0.15  # seconds until an unsettled face's next decision
IN_TURN = 2  # further views that a decision looks at
_SURE = 0.9  # a view that gives the name this much is asked in its turn only


def key_of(crop: FaceCrop) -> TrackKey:
    """The track that the crop belongs to."""
    return crop.frame.camera, crop.track.track_id


@dataclass
class _Turns:
    """What a track had so far in its epoch."""

    epoch: int
    seen_at: float
    frame: int = -1  # of its last turn; -1: none yet
    at: float = 0.0
    outcome: Hashable = None
    agreeing: int = 0
    looks: dict[int, tuple[int, float]] = field(default_factory=dict)  # by view: at which decision, and how sure
    decided: int = 0
    alarm: bool = False  # the last decision was one
    explanation: CropEvidence | None = None  # of the last decision, where its saliency will do for the next one too
    served: int = 0  # decisions in a row that this saliency explained
    doubted: bool = False  # the face that is decided on next may be another

    def due(self, within: float) -> float:
        if self.frame < 0:
            return self.seen_at
        return self.at + (within if self.settled else min(SOON, within))

    @property
    def settled(self) -> bool:
        return self.agreeing >= SETTLED

    def rests(self, view: int) -> bool:
        """Whether the view need not be asked this time: it was the last time, and was sure."""
        at, sure = self.looks.get(view, (-1, 0.0))
        return self.settled and not self.doubted and at == self.decided and sure >= _SURE


class Schedule:
    """Remembers when each track had its turn. Used by one thread at a time.

    Args:
        batch: most crops per pass of the recogniser.
        within: seconds within which a settled face should be decided on again.
    """

    def __init__(self, batch: int = 2, *, within: float = 0.5) -> None:
        self.batch = batch
        self.within = within
        self._turns: dict[TrackKey, _Turns] = {}

    def pick(
        self, crops: Iterable[FaceCrop], now: float, changed: Callable[[FaceCrop], bool] = lambda crop: False
    ) -> list[FaceCrop]:
        """At most ``batch`` crops, the most urgent first; none that was decided on already or was refused.

        ``changed``: whether a crop's face may be another than the one decided on; it is as urgent as a new face.
        """
        waiting = []
        for crop in crops:
            if crop.refusal is not None:
                continue
            turns = self._turns.get(key_of(crop))
            if turns is None or turns.epoch != crop.track.epoch:
                turns = self._turns[key_of(crop)] = _Turns(crop.track.epoch, now)
            if crop.frame.index > turns.frame:
                turns.doubted = changed(crop)
                waiting.append((turns.at if turns.doubted else turns.due(self.within), turns, crop))
        waiting.sort(key=lambda one: one[0])
        for _, turns, crop in waiting[: self.batch]:
            turns.frame, turns.at = crop.frame.index, now
        return [crop for _, _, crop in waiting[: self.batch]]

    def views(self, crop: FaceCrop, count: int) -> Bools:
        """(V,): which of the face's ``count`` views the next decision looks at."""
        looked = np.ones(count, np.bool_)
        turns = self._of(crop)
        if turns is None:
            return looked
        looked[1:] = False
        further = [view for view in range(1, count) if not turns.rests(view)]
        if further:
            longest = sorted(further, key=lambda view: turns.looks.get(view, (-1, 0.0))[0])
            least = min(further, key=lambda view: turns.looks.get(view, (0, 1.0))[1])
            chosen = [least] if least in turns.looks and turns.looks[least][1] < _SURE else []
            looked[(chosen + [view for view in longest if view not in chosen])[:IN_TURN]] = True
        return looked

    def alarm_expected(self, crop: FaceCrop) -> bool:
        """Whether the face's last decision was an alarm, so that its saliency will be wanted again."""
        turns = self._of(crop)
        return turns is not None and turns.alarm

    def explanation(self, crop: FaceCrop) -> CropEvidence | None:
        """The last decision's evidence, where its saliency will do for the next one too; otherwise None."""
        turns = self._of(crop)
        return turns.explanation if turns is not None and turns.settled and not turns.doubted else None

    def note(
        self, crop: FaceCrop, outcome: Hashable, evidence: CropEvidence | None = None, *, changed: bool = False
    ) -> None:
        """What was decided on a crop: equal outcomes in a row make its track settled.

        ``evidence``: how sure each view that was looked at is of the name that the raw view likes best. ``changed``:
        the face may be another now, so that no earlier look says anything of it.
        """
        turns = self._of(crop)
        if turns is None:
            return
        turns.agreeing = turns.agreeing + 1 if outcome == turns.outcome and not changed else 1
        turns.outcome = outcome
        if changed:
            turns.looks.clear()
        turns.decided += 1
        turns.alarm = evidence is not None and evidence.explained and not changed
        before = turns.explanation
        again = before is None or evidence is None or evidence.saliency is not before.saliency
        turns.served = 1 if again else turns.served + 1
        turns.explanation = evidence if turns.alarm and turns.served < SERVES else None
        if evidence is not None and len(evidence.labels):
            best = int(evidence.raw.argmax())
            for view in np.flatnonzero(evidence.looked):
                turns.looks[int(view)] = (turns.decided, float(evidence.views[view, best]))

    def unanswered(self, crop: FaceCrop) -> None:
        """Nothing came of the crop's turn: its face is as urgent as when it was seen first."""
        turns = self._of(crop)
        if turns is not None:
            turns.at, turns.agreeing = turns.seen_at - SOON, 0

    def _of(self, crop: FaceCrop) -> _Turns | None:
        turns = self._turns.get(key_of(crop))
        return turns if turns is not None and turns.epoch == crop.track.epoch else None

    def keep_only(self, tracks: Iterable[TrackKey]) -> None:
        """Forget every track but these."""
        kept = set(tracks)
        self._turns = {key: turns for key, turns in self._turns.items() if key in kept}

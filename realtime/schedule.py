"""Which faces to decide on next, when there is time for a few only.

Every face has a moment by which it should have its next decision, and the earliest goes first: a new or
re-associated face as soon as it is seen, a face whose last decisions did not agree soon, any other within the time
for which its verdict counts as current. So new and changed faces come first, a known face that is overdue comes
before them, and what time is left is spent evenly. With n faces and r decisions a second nobody waits longer than
about n / r seconds beyond that time, however many new faces come.

A settled face's further zones are looked at on a slower beat: for ``HOLD`` seconds what they said goes on to hold.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from models.arrays import Floats
from realtime.types import FaceCrop

#: A track of one camera: (camera, track number).
TrackKey = tuple[str, int]

SETTLED = 5  # decisions in a row with the same outcome, from which on a face is settled
SOON = 0.15  # seconds until an unsettled face's next decision
HOLD = 2.0  # seconds for which a look at a settled face's further zones holds


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
    further: Floats | None = None  # (V - 1, K), the further zones' views when they were last looked at
    looked_at: float = 0.0

    def due(self, within: float) -> float:
        if self.frame < 0:
            return self.seen_at
        return self.at + (within if self.agreeing >= SETTLED else min(SOON, within))


class Schedule:
    """Remembers when each track had its turn. Used by one thread.

    Args:
        batch: most crops per pass of the recogniser.
        within: seconds within which a settled face should be decided on again.
    """

    def __init__(self, batch: int = 2, *, within: float = 0.5) -> None:
        self.batch = batch
        self.within = within
        self._turns: dict[TrackKey, _Turns] = {}
        self._labels: tuple[str, ...] = ()

    def pick(self, crops: Iterable[FaceCrop], now: float) -> list[FaceCrop]:
        """At most ``batch`` crops, the most urgent first; none that was decided on already or was refused."""
        waiting = []
        for crop in crops:
            if crop.refusal is not None:
                continue
            turns = self._turns.get(key_of(crop))
            if turns is None or turns.epoch != crop.track.epoch:
                turns = self._turns[key_of(crop)] = _Turns(crop.track.epoch, now)
            if crop.frame.index > turns.frame:
                waiting.append((turns.due(self.within), turns, crop))
        waiting.sort(key=lambda one: one[0])
        for _, turns, crop in waiting[: self.batch]:
            turns.frame, turns.at = crop.frame.index, now
        return [crop for _, _, crop in waiting[: self.batch]]

    def held(self, crop: FaceCrop, now: float) -> Floats | None:
        """The further zones' views (V - 1, K) that still hold for the crop's face; None: they have to be looked at."""
        turns = self._of(crop)
        if turns is None or turns.agreeing < SETTLED or now - turns.looked_at >= HOLD:
            return None
        return turns.further

    def note(self, crop: FaceCrop, outcome: Hashable, further: Floats | None = None, now: float = 0.0) -> None:
        """What was decided on a crop: equal outcomes in a row make its track settled.

        ``further`` (V - 1, K) are the further zones' views, where they were looked at for this decision and bore it
        out: what hid a part of the face a moment ago must raise no alarm now.
        """
        turns = self._of(crop)
        if turns is not None:
            if outcome == turns.outcome:
                turns.agreeing += 1
            else:
                turns.agreeing, turns.further = 1, None
            turns.outcome = outcome
            if further is not None:
                turns.further, turns.looked_at = further, now

    def known(self, labels: tuple[str, ...]) -> None:
        """Who is known now: where that has changed, no view of before holds, for its columns were other people."""
        if labels != self._labels:
            self._labels = labels
            for turns in self._turns.values():
                turns.further = None

    def _of(self, crop: FaceCrop) -> _Turns | None:
        turns = self._turns.get(key_of(crop))
        return turns if turns is not None and turns.epoch == crop.track.epoch else None

    def keep_only(self, tracks: Iterable[TrackKey]) -> None:
        """Forget every track but these."""
        kept = set(tracks)
        self._turns = {key: turns for key, turns in self._turns.items() if key in kept}

"""What a track is, said from its recent decisions: suspected attack, known or unknown.

How many of them have to agree, and on what, is ``realtime.verdicts.agreement``'s.

A crop that the quality gate refused names nobody and takes no part in the vote: refusals come at the camera's
rate, decisions at the model's, and counted together a moment's blur would outvote a second of clear pictures.
Where the newest crop was refused and no fresh name holds, the track is unknown for the gate's reason; two seconds
of nothing but refusals discard what was decided before.
"""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.evidence import CropEvidence
from models.policy import Decision, State
from realtime.verdicts.agreement import Entry, VerdictRules, agreed_likely, agreeing_decisions, mean_confidence

REFUSED_TOO_LONG = 2.0  # seconds of refusals only, after which a face must prove itself anew


@dataclass(frozen=True)
class Verdict:
    """What a track is taken to be at the moment ``asked_at``.

    ``identity`` is set when known, ``claimed`` (and ``likely``, where ``models.policy`` tells who it is all the same)
    when attacked. ``confidence`` is the mean confidence of the agreeing decisions. ``raw_confidence`` is what the
    undefended view gives the name reported (``identity`` or ``claimed``, its own best name where there is none),
    ``defended_confidence`` what the view which was asked about that name gives ``likely``, or the same name where
    nobody is likely: the dissenting zone's view, or the first one's, or the saliency-masked one where there are no
    zones; both None without evidence. ``decision`` and ``evidence`` are the newest of those that made the verdict
    (evidence None for a refused crop). ``decided_at`` is the moment of the track's newest decision (of its newest
    refusal where that is the reason) and ``captured_at`` its frame's, like ``asked_at`` in seconds of the frames'
    clock, see ``Frame.now``.
    """

    track_id: int
    epoch: int
    state: State
    identity: str | None
    claimed: str | None
    likely: str | None
    confidence: float
    raw_confidence: float | None
    defended_confidence: float | None
    reason: str
    dissent: str | None
    decided_at: float
    captured_at: float
    asked_at: float
    max_age: float
    decision: Decision
    evidence: CropEvidence | None = field(repr=False)

    def age(self, now: float) -> float:
        """Seconds since the newest decision."""
        return now - self.decided_at

    def is_stale(self, now: float) -> bool:
        """Too old at ``now`` to be shown as current."""
        return self.age(now) > self.max_age

    @property
    def stale(self) -> bool:
        """Too old, when it was asked for, to be shown as current."""
        return self.is_stale(self.asked_at)


@dataclass
class _History:
    epoch: int
    entries: list[Entry] = field(default_factory=list)  # by capture time, oldest first
    refusal: Entry | None = None  # the newest, where it is newer than every decision
    refused_since: float = math.inf


class VerdictKeeper:
    """Keeps the recent decisions of every track and gives the verdict on each. Safe to share between threads."""

    def __init__(self, rules: VerdictRules | None = None) -> None:
        self.rules = rules if rules is not None else VerdictRules()
        self._histories: dict[int, _History] = {}
        self._lock = threading.Lock()

    def add(
        self,
        track_id: int,
        epoch: int,
        decision: Decision,
        evidence: CropEvidence | None,
        captured_at: float,
        now: float,
    ) -> None:
        """Take note of a decision on the crop captured at ``captured_at``.

        A new ``epoch`` (the track was lost and found again) discards what went before; a late result of an older
        epoch is ignored, and one of an older frame takes its place in the order of capture.
        """
        with self._lock:
            history = self._history(track_id, epoch)
            if history is None:
                return
            bisect.insort(history.entries, Entry(decision, evidence, captured_at, now), key=_capture_time)
            del history.entries[: -self.rules.window]
            if history.refusal is not None and captured_at >= history.refusal.captured_at:
                history.refusal, history.refused_since = None, math.inf
            elif captured_at >= history.refused_since:
                history.refused_since = captured_at

    def refuse(self, track_id: int, epoch: int, reason: str, captured_at: float, now: float) -> None:
        """Take note that the quality gate refused the track's crop for ``reason``."""
        with self._lock:
            history = self._history(track_id, epoch)
            if history is None or (history.entries and captured_at < history.entries[-1].captured_at):
                return
            decision = Decision("unknown", None, None, None, 0.0, reason)
            history.refusal = Entry(decision, None, captured_at, now)
            history.refused_since = min(history.refused_since, captured_at)
            if captured_at - history.refused_since >= REFUSED_TOO_LONG:
                history.entries.clear()

    def verdict(self, track_id: int, now: float, epoch: int | None = None) -> Verdict | None:
        """The track's verdict, or None if nothing was decided on it (or nothing since ``epoch`` began)."""
        with self._lock:
            history = self._histories.get(track_id)
            if history is None or (epoch is not None and epoch != history.epoch):
                return None
            entries, refusal, known_epoch = tuple(history.entries), history.refusal, history.epoch
        return _conclude(track_id, known_epoch, entries, refusal, self.rules, now)

    def keep_only(self, track_ids: Iterable[int]) -> None:
        """Forget every track but these: a history holds up to eight crops' evidence, of about 100 kB each."""
        kept = set(track_ids)
        with self._lock:
            self._histories = {track: history for track, history in self._histories.items() if track in kept}

    def _history(self, track_id: int, epoch: int) -> _History | None:
        """The track's history in this epoch; None where the epoch is over."""
        history = self._histories.get(track_id)
        if history is not None and epoch < history.epoch:
            return None
        if history is None or epoch > history.epoch:
            history = self._histories[track_id] = _History(epoch)
        return history


def _capture_time(entry: Entry) -> float:
    return entry.captured_at


def _conclude(
    track_id: int, epoch: int, entries: Sequence[Entry], refusal: Entry | None, rules: VerdictRules, now: float
) -> Verdict:
    """SuspectedAttack before Known before Unknown. ``entries`` oldest first; at least one, or a refusal."""
    agreeing, reason = agreeing_decisions(entries, rules)
    latest = max(entries, key=lambda entry: entry.decided_at, default=refusal)
    assert latest is not None
    if refusal is not None and (not agreeing or now - latest.decided_at > rules.max_age):
        agreeing, reason, latest = (), refusal.decision.reason, refusal
    newest = agreeing[-1] if agreeing else refusal or entries[-1]
    decision, evidence = newest.decision, newest.evidence
    likely = agreed_likely(agreeing)
    raw, defended = _confidences(decision, likely, evidence)
    return Verdict(
        track_id=track_id,
        epoch=epoch,
        state=decision.state if agreeing else "unknown",
        identity=decision.identity if agreeing else None,
        claimed=decision.claimed if agreeing else None,
        likely=likely,
        confidence=mean_confidence(agreeing) if agreeing else decision.confidence,
        raw_confidence=raw,
        defended_confidence=defended,
        reason=reason,
        dissent=decision.dissent if agreeing else None,
        decided_at=latest.decided_at,
        captured_at=latest.captured_at,
        asked_at=now,
        max_age=rules.max_age,
        decision=decision,
        evidence=evidence,
    )


def _confidences(
    decision: Decision, likely: str | None, evidence: CropEvidence | None
) -> tuple[float | None, float | None]:
    if evidence is None:
        return None, None
    reported = decision.identity or decision.claimed or evidence.labels[int(evidence.raw.argmax())]
    before, after = (evidence.labels.index(name) for name in (reported, likely or reported))
    views = dict(zip(evidence.zones, evidence.views, strict=True))
    first = evidence.views[0] if views else evidence.defended
    return float(evidence.raw[before]), float(views.get(str(decision.dissent), first)[after])

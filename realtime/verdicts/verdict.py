"""What a track is, said from its recent decisions: suspected attack, known or unknown.

How many of them have to agree, and on what, is ``realtime.verdicts.agreement``'s. Nothing that was decided on another
face may go on to count, however softly one face became the other:

- The first decision against a known name takes it away, and what was decided before counts for no name any more.
- So does a face that looks otherwise than its last decisions by more than one person's does from frame to frame; where
  also the view without what is worn in the first zone looks otherwise, it is another face, and all begins anew.

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
from dataclasses import dataclass, field, replace

from models.evidence import CropEvidence
from models.policy import Decision, Policy, State
from realtime.verdicts.agreement import (
    CHANGING,
    Conclusion,
    Entry,
    VerdictRules,
    agreed_likely,
    conclude,
    is_for,
)
from realtime.verdicts.pooling import moved, weakest

REFUSED_TOO_LONG = 2.0  # seconds of refusals only, after which a face must prove itself anew


@dataclass(frozen=True)
class Verdict:
    """What a track is taken to be at the moment ``asked_at``.

    ``identity`` is set when known, ``claimed`` (and ``likely``, where ``models.policy`` tells who it is all the same)
    when attacked. ``confidence`` is that of the weakest view that speaks for the name reported: known, what the weakest
    of all views gives it over the decisions that count; attacked, the mean confidence of the agreeing claims; unknown,
    what the weakest view gives the best name.

    ``decision`` and ``evidence`` are the newest of those that made the verdict (evidence None for a refused crop).
    ``raw_probability`` is what its raw view gives the name reported (``identity`` or ``claimed``, its own best name
    where there is none), ``view_probability`` what ``view`` gives ``likely``, or the same name where nobody is likely;
    ``view`` is the one that dissents, or the first zone's, or "saliency" where there are no zones. All None without
    evidence. ``decided_at`` is the moment of the track's newest decision (of its newest refusal where that is the
    reason) and ``captured_at`` its frame's, like ``asked_at`` in seconds of the frames' clock, see ``Frame.now``.
    """

    track_id: int
    epoch: int
    state: State
    identity: str | None
    claimed: str | None
    likely: str | None
    confidence: float
    raw_probability: float | None
    view_probability: float | None
    view: str | None
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


def changing(verdict: Verdict) -> Verdict:
    """The same track while its face looks otherwise than when it was decided on: nobody, until it is decided anew."""
    return replace(verdict, state="unknown", identity=None, claimed=None, likely=None, dissent=None, reason=CHANGING)


@dataclass
class _History:
    epoch: int
    entries: list[Entry] = field(default_factory=list)  # by capture time, oldest first
    since: float = -math.inf  # what was captured before counts for no name
    found: Conclusion | None = None  # what the entries add up to
    refusal: Entry | None = None  # the newest, where it is newer than every decision
    refused_since: float = math.inf


class VerdictKeeper:
    """Keeps the recent decisions of every track and gives the verdict on each. Safe to share between threads.

    ``policy``: the recogniser's, by which what several decisions say together is judged.
    """

    def __init__(self, rules: VerdictRules | None = None, policy: Policy | None = None) -> None:
        self.rules = rules if rules is not None else VerdictRules()
        self._policy = policy if policy is not None else Policy()
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
    ) -> bool:
        """Take note of a decision on the crop captured at ``captured_at``; gives whether the face may be another now.

        A new ``epoch`` (the track was lost and found again) discards what went before; a late result of an older
        epoch is ignored, and one of an older frame takes its place in the order of capture.
        """
        with self._lock:
            history = self._history(track_id, epoch)
            if history is None:
                return False
            entry = Entry(decision, evidence, captured_at, now)
            changed = _take_back(history, entry, self._policy)
            bisect.insort(history.entries, entry, key=_capture_time)
            del history.entries[: -self.rules.window]
            history.found = conclude(history.entries, history.since, self.rules, self._policy)
            if history.refusal is not None and captured_at >= history.refusal.captured_at:
                history.refusal, history.refused_since = None, math.inf
            elif captured_at >= history.refused_since:
                history.refused_since = captured_at
            return changed

    def refuse(self, track_id: int, epoch: int, reason: str, captured_at: float, now: float) -> None:
        """Take note that the quality gate refused the track's crop for ``reason``."""
        with self._lock:
            history = self._history(track_id, epoch)
            if history is None or (history.entries and captured_at < history.entries[-1].captured_at):
                return
            decision = Decision.unknown(reason)
            history.refusal = Entry(decision, None, captured_at, now)
            history.refused_since = min(history.refused_since, captured_at)
            if captured_at - history.refused_since >= REFUSED_TOO_LONG:
                history.entries.clear()
                history.found = None

    def verdict(self, track_id: int, now: float, epoch: int | None = None) -> Verdict | None:
        """The track's verdict, or None if nothing was decided on it (or nothing since ``epoch`` began)."""
        with self._lock:
            history = self._histories.get(track_id)
            if history is None or (epoch is not None and epoch != history.epoch):
                return None
            entries, found = tuple(history.entries), history.found
            refusal, known_epoch = history.refusal, history.epoch
        return _verdict(track_id, known_epoch, entries, found, refusal, self.rules, now)

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


def _take_back(history: _History, entry: Entry, policy: Policy) -> bool:
    """What was decided before a decision that shows a change no longer counts; gives whether there was one."""
    found, evidence = history.found, entry.evidence
    if found is None or (history.entries and entry.captured_at < history.entries[-1].captured_at):
        return False  # a late result of an older frame takes nothing back
    contrary = found.state == "known" and found.name is not None and not is_for(entry, found.name, policy)
    raw_moved = wearer_moved = False
    if evidence is not None and found.pooled is not None:
        raw_moved, wearer_moved = moved(found.pooled, evidence)
    if wearer_moved:  # not only what is worn: another face
        history.entries.clear()
    if contrary or raw_moved or wearer_moved:
        history.since = entry.captured_at
    return contrary or raw_moved or wearer_moved


def _verdict(
    track_id: int,
    epoch: int,
    entries: Sequence[Entry],
    found: Conclusion | None,
    refusal: Entry | None,
    rules: VerdictRules,
    now: float,
) -> Verdict:
    """``entries`` oldest first; at least one and what they add up to, or a refusal."""
    latest = max(entries, key=lambda entry: entry.decided_at, default=refusal)
    assert latest is not None
    told = found is not None and found.state != "unknown"
    if refusal is not None and (not told or now - latest.decided_at > rules.max_age):
        found, latest = Conclusion("unknown", None, (), refusal.decision.reason, None), refusal
    assert found is not None
    newest = found.agreeing[-1] if found.agreeing else refusal or entries[-1]
    likely = agreed_likely(found.agreeing)
    raw, view, given = _probabilities(found, newest, likely)
    return Verdict(
        track_id=track_id,
        epoch=epoch,
        state=found.state,
        identity=found.name if found.state == "known" else None,
        claimed=found.name if found.state == "suspected_attack" else None,
        likely=likely,
        confidence=found.confidence,
        raw_probability=raw,
        view_probability=given,
        view=view,
        reason=found.reason,
        dissent=newest.decision.dissent if found.state == "suspected_attack" else None,
        decided_at=latest.decided_at,
        captured_at=latest.captured_at,
        asked_at=now,
        max_age=rules.max_age,
        decision=newest.decision,
        evidence=newest.evidence,
    )


def _probabilities(
    found: Conclusion, newest: Entry, likely: str | None
) -> tuple[float | None, str | None, float | None]:
    """What the raw view gives, and which other view was asked and what it gives."""
    if found.state == "suspected_attack":
        return _against(newest, likely)
    evidence = newest.evidence if found.pooled is None else found.pooled
    if evidence is None or len(evidence.labels) == 0:
        return None, None, None
    name = found.name or evidence.labels[int(evidence.raw.argmax())]
    view, given = weakest(evidence, name)
    return float(evidence.raw[evidence.labels.index(name)]), view, given


def _against(newest: Entry, likely: str | None) -> tuple[float | None, str | None, float | None]:
    """What the raw view gives the name claimed, and what the view that does not bear it out gives who is likely."""
    evidence, decision = newest.evidence, newest.decision
    if evidence is None or decision.claimed is None:
        return None, None, None
    claimed = evidence.labels.index(decision.claimed)
    told = claimed if likely is None else evidence.labels.index(likely)
    views = dict(zip(evidence.zones, evidence.views, strict=True)) or {"saliency": evidence.defended}
    view = decision.dissent if decision.dissent in views else next(iter(views))
    return float(evidence.raw[claimed]), view, float(views[view][told])

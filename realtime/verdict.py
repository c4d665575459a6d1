"""What a track is, said from its recent decisions: suspected attack, known or unknown.

One crop gives a ``models.policy.Decision``; a single crop is too little to name somebody. A verdict asks for
agreement among the track's last decisions (by default 5 of 8), and what agreement means depends on the state:

- *suspected attack*: the same claimed name. A worn attack pulls towards one target, whereas the raw view of a
  stranger wanders from name to name; counting the claims together would turn wandering strangers into attackers.
- *known*: the same identity, with a mean confidence over the agreeing decisions of at least ``confidence``.
- *unknown* needs no agreement: it is what remains. Its reason says why.

A crop that the quality gate refused names nobody and takes no part in the vote: refusals come at the camera's
rate, decisions at the model's, and counted together a moment's blur would outvote a second of clear pictures.
Where the newest crop was refused and no fresh name holds, the track is unknown for the gate's reason; two seconds
of nothing but refusals discard what was decided before.
"""

from __future__ import annotations

import bisect
import math
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision, State, last_word

NOT_ENOUGH_EVIDENCE = "not enough evidence"
REFUSED_TOO_LONG = 2.0  # seconds of refusals only, after which a face must prove itself anew
NOT_CONFIDENT = "not confident enough"
TIE = "a tie between names"
MAX_TRACKS = 128  # a history holds up to eight crops' evidence (about 100 kB each); weeks of tracks must not add up


@dataclass(frozen=True)
class VerdictRules:
    """When a track's decisions add up to a verdict.

    ``agreement`` of the last ``window`` decisions must agree, with a mean confidence of at least ``confidence``;
    a verdict older than ``max_age`` seconds is stale. Raises ``BadInput`` for a rule that cannot be met.
    """

    agreement: int = 5
    window: int = 8
    confidence: float = 0.8
    max_age: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.agreement <= self.window:
            raise BadInput(
                f"verdict: agreement is {self.agreement} of the last {self.window} decisions; "
                "it must be at least 1 and at most the window"
            )
        if not 0 <= self.confidence <= 1:
            raise BadInput(f"verdict: confidence is {self.confidence}; it must lie between 0 and 1")
        if not (math.isfinite(self.max_age) and self.max_age > 0):
            raise BadInput(f"verdict: max_age is {self.max_age} s; it must be a positive number of seconds")


@dataclass(frozen=True)
class Verdict:
    """What a track is taken to be at the moment ``asked_at``.

    ``identity`` is set when known, ``claimed`` (and ``likely``, where a view gives another name with confidence)
    when attacked. ``confidence`` is the mean confidence of the agreeing decisions. ``raw_confidence`` is the
    probability of the undefended view's best name, ``defended_confidence`` that of the view which had the last
    word: the dissenting one for an attack, otherwise the saliency-masked one; both None without evidence.
    ``decision`` and ``evidence`` are the newest of those that made the verdict (evidence None for a refused crop).
    ``decided_at`` is the moment of the track's newest decision (of its newest refusal where
    that is the reason)
    and ``captured_at`` that of its frame; like ``asked_at`` they are ``time.monotonic()`` seconds.
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


@dataclass(frozen=True)
class _Entry:
    decision: Decision
    evidence: CropEvidence | None
    captured_at: float
    decided_at: float


@dataclass
class _History:
    epoch: int
    entries: list[_Entry] = field(default_factory=list)  # by capture time, oldest first
    refusal: _Entry | None = None  # the newest, where it is newer than every decision
    refused_since: float = math.inf


class VerdictKeeper:
    """Keeps the recent decisions of every track and gives the verdict on each. Safe to share between threads."""

    def __init__(self, rules: VerdictRules | None = None) -> None:
        self.rules = rules if rules is not None else VerdictRules()
        self._histories: dict[int, _History] = {}  # in the order of the last decision, oldest first
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
            bisect.insort(history.entries, _Entry(decision, evidence, captured_at, now), key=_capture_time)
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
            history.refusal = _Entry(decision, None, captured_at, now)
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

    def forget(self, track_ids: Iterable[int]) -> None:
        """Discard these tracks' decisions (unknown numbers are no error)."""
        with self._lock:
            for track_id in track_ids:
                self._histories.pop(track_id, None)

    def keep_only(self, track_ids: Iterable[int]) -> None:
        """Discard every track but these."""
        kept = set(track_ids)
        with self._lock:
            self._histories = {track: history for track, history in self._histories.items() if track in kept}

    def __len__(self) -> int:
        return len(self._histories)

    def _history(self, track_id: int, epoch: int) -> _History | None:
        """The track's history in this epoch, made the most recent one; None where the epoch is over."""
        history = self._histories.get(track_id)
        if history is not None and epoch < history.epoch:
            return None
        if history is None or epoch > history.epoch:
            history = _History(epoch)
        self._histories.pop(track_id, None)
        self._histories[track_id] = history
        while len(self._histories) > MAX_TRACKS:
            del self._histories[next(iter(self._histories))]
        return history


def _capture_time(entry: _Entry) -> float:
    return entry.captured_at


def _conclude(
    track_id: int, epoch: int, entries: Sequence[_Entry], refusal: _Entry | None, rules: VerdictRules, now: float
) -> Verdict:
    """SuspectedAttack before Known before Unknown. ``entries`` oldest first; at least one, or a refusal."""
    agreeing, reason = _agreeing(entries, rules)
    latest = max(entries, key=lambda entry: entry.decided_at, default=refusal)
    assert latest is not None
    if refusal is not None and (not agreeing or now - latest.decided_at > rules.max_age):
        agreeing, reason, latest = (), refusal.decision.reason, refusal
    newest = agreeing[-1] if agreeing else refusal or entries[-1]
    decision, evidence = newest.decision, newest.evidence
    raw, defended = _confidences(decision, evidence)
    return Verdict(
        track_id=track_id,
        epoch=epoch,
        state=decision.state if agreeing else "unknown",
        identity=decision.identity if agreeing else None,
        claimed=decision.claimed if agreeing else None,
        likely=_agreed_likely(agreeing),
        confidence=_mean_confidence(agreeing) if agreeing else decision.confidence,
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


def _agreeing(entries: Sequence[_Entry], rules: VerdictRules) -> tuple[Sequence[_Entry], str]:
    """The decisions that together make an attack or a known person, or none of them; and the reason."""
    attack, attack_reason = _winner(entries, "suspected_attack", rules)
    if attack:
        return attack, attack[-1].decision.reason
    # Two targets claimed equally often are no answer to "who", and the track is not known either.
    known, known_reason = _winner(entries, "known", rules)
    if known and not attack_reason:
        return known, known[-1].decision.reason
    attack = _attacks_on_one_person(entries, rules)
    if attack:
        return attack, attack[-1].decision.reason
    return (), _unknown_reason(entries, rules) or attack_reason or known_reason or NOT_ENOUGH_EVIDENCE


def _winner(entries: Sequence[_Entry], state: State, rules: VerdictRules) -> tuple[Sequence[_Entry], str]:
    """The decisions for the one name on which enough agree; or none, and why nearly (\"\" where not nearly)."""
    votes = [entry for entry in entries if entry.decision.state == state]
    ranking = Counter(_name(entry.decision) for entry in votes).most_common(2)
    if not ranking or ranking[0][1] < rules.agreement:
        return (), ""
    if len(ranking) == 2 and ranking[0][1] == ranking[1][1]:
        return (), TIE
    winners = [entry for entry in votes if _name(entry.decision) == ranking[0][0]]
    if _mean_confidence(winners) < rules.confidence:
        return (), NOT_CONFIDENT
    return winners, ""


def _attacks_on_one_person(entries: Sequence[_Entry], rules: VerdictRules) -> Sequence[_Entry]:
    """The attacks among enough decisions that tell one name, as known or as likely, whatever else was claimed; at
    least half of these have to be attacks, so that one alarm among many known faces makes none.

    So a person whose name the defence tells in every decision is not lost because what they wear claims now this and
    now that, or nothing at times.
    """
    told = [entry for entry in entries if _told(entry.decision) is not None]
    names = Counter(_told(entry.decision) for entry in told).most_common(1)
    if not names or names[0][1] < rules.agreement:
        return ()
    mine = [entry for entry in told if _told(entry.decision) == names[0][0]]
    attacks = [entry for entry in mine if entry.decision.state == "suspected_attack"]
    if 2 * len(attacks) < len(mine) or _mean_confidence(mine) < rules.confidence:
        return ()
    return attacks


def _told(decision: Decision) -> str | None:
    return decision.likely if decision.state == "suspected_attack" else decision.identity


def _unknown_reason(entries: Sequence[_Entry], rules: VerdictRules) -> str:
    """What enough unknown decisions agree on; otherwise \"\"."""
    reasons = Counter(entry.decision.reason for entry in entries if entry.decision.state == "unknown").most_common(1)
    return reasons[0][0] if reasons and reasons[0][1] >= rules.agreement else ""


def _name(decision: Decision) -> str | None:
    return decision.claimed if decision.state == "suspected_attack" else decision.identity


def _mean_confidence(entries: Sequence[_Entry]) -> float:
    return math.fsum(entry.decision.confidence for entry in entries) / len(entries)


def _agreed_likely(agreeing: Sequence[_Entry]) -> str | None:
    """The name that most of the agreeing attack decisions hold likely; None where none or two lead."""
    names = Counter(e.decision.likely for e in agreeing if e.decision.likely is not None).most_common(2)
    if not names or (len(names) == 2 and names[0][1] == names[1][1]):
        return None
    return names[0][0]


def _confidences(decision: Decision, evidence: CropEvidence | None) -> tuple[float | None, float | None]:
    if evidence is None:
        return None, None
    return float(evidence.raw.max()), float(last_word(evidence, decision).max())

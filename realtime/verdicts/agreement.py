"""When a track's recent decisions add up to a verdict, and on what.

A single crop is too little to name somebody, and a decision looks at some of the views only. So a verdict is made of
the track's last decisions (by default 8):

- *suspected attack*: 5 of them make the same claim. A worn attack pulls towards one target, whereas the raw view of a
  stranger wanders from name to name; counting the claims together would turn wandering strangers into attackers.
- *known*: what they say together, view by view (``realtime.verdicts.pooling``), makes the policy say so, and every
  view was looked at; 5 of them are for the name, the newest among them; the weakest view gives it ``confidence``.
  A decision is for a name if no view that it looked at speaks against it (``pooling.is_contrary``).
- *unknown* needs no agreement: it is what remains. Its reason says why.

Who is known is no longer so with the first decision that is not for the name; what was decided before it no longer
counts for any name (``VerdictKeeper``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field, model_validator

from models.evidence import CropEvidence
from models.policy import Decision, Policy, State, decide
from realtime.settings.section import Section
from realtime.verdicts.pooling import is_contrary, pooled_evidence

NOT_ENOUGH_EVIDENCE = "not enough evidence"
NOT_CONFIDENT = "not confident enough"
TIE = "a tie between names"
CHANGING = "changing"
NOT_EVERY_VIEW = "not every view was looked at yet"


class VerdictRules(Section):
    """From a track's decisions to its verdict."""

    # Confidence: of an attack's claims their mean, of a known name what the weakest view gives it.

    window: int = Field(default=8, ge=1, le=100, description="How many of the last decisions count")
    agreement: int = Field(default=5, ge=1, le=100, description="How many of them must agree")
    confidence: float = Field(
        default=0.0, ge=0, le=1, description="What even the weakest view has to give the name; 0: what the bundle asks"
    )
    max_age: float = Field(default=0.5, gt=0, le=60, description="Seconds until a verdict is stale")

    @model_validator(mode="after")
    def _agreement_can_be_reached(self) -> VerdictRules:
        if self.agreement > self.window:
            raise ValueError(f"agreement is {self.agreement}, more than the window of {self.window}; lower it")
        return self


@dataclass(frozen=True)
class Entry:
    """One decision on a track: its crop's evidence (None where the gate refused it), its frame's moment, and when."""

    decision: Decision
    evidence: CropEvidence | None
    captured_at: float
    decided_at: float


@dataclass(frozen=True)
class Conclusion:
    """What decisions add up to: a state, the name that is known or claimed, and why.

    ``agreeing`` are the decisions that made it (none where unknown). ``pooled``: what the decisions that may count for
    a name say together, None where there are none with evidence; ``confidence``: that of the weakest view that had a
    say in what they say.
    """

    state: State
    name: str | None
    agreeing: Sequence[Entry]
    reason: str
    pooled: CropEvidence | None
    confidence: float = 0.0


def conclude(entries: Sequence[Entry], since: float, rules: VerdictRules, policy: Policy) -> Conclusion:
    """What the decisions (oldest first) say: suspected attack before known before unknown.

    ``since``: seconds; those on crops captured before count for no name.
    """
    pooled = _pooled(entries, since)
    attack, attack_reason = _attacks(entries, rules)
    together = None if pooled is None else decide(pooled.seen, policy)
    confidence = 0.0 if together is None else together.confidence
    known, known_reason = ((), "") if attack else _known(entries, since, pooled, together, rules, policy)
    # Two targets claimed equally often are no answer to "who", and the track is not known either.
    if known and together is not None and not attack_reason:
        return Conclusion("known", together.identity, known, "", pooled, confidence)
    attack = attack or _attacks_on_one_person(entries, rules)
    if attack:
        newest = attack[-1].decision
        return Conclusion("suspected_attack", newest.claimed, attack, newest.reason, pooled, mean_confidence(attack))
    counted = [entry for entry in entries if entry.captured_at >= since]
    few = CHANGING if since > -math.inf and len(counted) < rules.window else NOT_ENOUGH_EVIDENCE
    reason = _unknown_reason(counted, rules) or attack_reason or known_reason or few
    return Conclusion("unknown", None, (), reason, pooled, confidence)


def _pooled(entries: Sequence[Entry], since: float) -> CropEvidence | None:
    """What the decisions since then say together, as far as they are about the people and zones of the newest."""
    counted = [(e.evidence, e.captured_at) for e in entries if e.evidence is not None and e.captured_at >= since]
    if not counted:
        return None
    newest = counted[-1][0]
    alike = [(one, at) for one, at in counted if (one.labels, one.zones) == (newest.labels, newest.zones)]
    return pooled_evidence([one for one, _ in alike], [at for _, at in alike])


def _known(
    entries: Sequence[Entry],
    since: float,
    pooled: CropEvidence | None,
    together: Decision | None,
    rules: VerdictRules,
    policy: Policy,
) -> tuple[Sequence[Entry], str]:
    """The decisions for the name that all views together make known; or none, and why nearly."""
    if pooled is None or together is None or together.identity is None:
        return (), ""
    votes = [e for e in entries if e.captured_at >= since and is_for(e, together.identity, policy)]
    if len(votes) < rules.agreement or votes[-1] is not entries[-1]:
        return (), ""
    if not pooled.looked.all():
        return (), NOT_EVERY_VIEW
    if together.confidence < rules.confidence:
        return (), NOT_CONFIDENT
    return votes, ""


def is_for(entry: Entry, name: str, policy: Policy) -> bool:
    """Whether the decision is for this name: nothing that it looked at speaks against it."""
    return entry.evidence is not None and not is_contrary(entry.evidence, name, policy)


def _attacks(entries: Sequence[Entry], rules: VerdictRules) -> tuple[Sequence[Entry], str]:
    """The alarms about the one name which enough of them claim; or none, and why nearly (\"\" where not nearly)."""
    votes = [entry for entry in entries if entry.decision.state == "suspected_attack"]
    ranking = Counter(entry.decision.claimed for entry in votes).most_common(2)
    if not ranking or ranking[0][1] < rules.agreement:
        return (), ""
    if len(ranking) == 2 and ranking[0][1] == ranking[1][1]:
        return (), TIE
    winners = [entry for entry in votes if entry.decision.claimed == ranking[0][0]]
    if mean_confidence(winners) < rules.confidence:
        return (), NOT_CONFIDENT
    return winners, ""


def _attacks_on_one_person(entries: Sequence[Entry], rules: VerdictRules) -> Sequence[Entry]:
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
    if 2 * len(attacks) < len(mine) or mean_confidence(mine) < rules.confidence:
        return ()
    return attacks


def _told(decision: Decision) -> str | None:
    return decision.likely if decision.state == "suspected_attack" else decision.identity


def _unknown_reason(entries: Sequence[Entry], rules: VerdictRules) -> str:
    """What enough unknown decisions agree on; otherwise \"\"."""
    reasons = Counter(entry.decision.reason for entry in entries if entry.decision.state == "unknown").most_common(1)
    return reasons[0][0] if reasons and reasons[0][1] >= rules.agreement else ""


def mean_confidence(entries: Sequence[Entry]) -> float:
    """Over at least one decision."""
    return math.fsum(entry.decision.confidence for entry in entries) / len(entries)


def agreed_likely(agreeing: Sequence[Entry]) -> str | None:
    """The name that most of the agreeing attack decisions hold likely; None where none or two lead."""
    names = Counter(e.decision.likely for e in agreeing if e.decision.likely is not None).most_common(2)
    if not names or (len(names) == 2 and names[0][1] == names[1][1]):
        return None
    return names[0][0]

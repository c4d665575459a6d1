"""When a track's recent decisions agree, and on what.

A single crop is too little to name somebody. A verdict asks for agreement among the track's last decisions (by
default 5 of 8), and what agreement means depends on the state:

- *suspected attack*: the same claimed name. A worn attack pulls towards one target, whereas the raw view of a
  stranger wanders from name to name; counting the claims together would turn wandering strangers into attackers.
- *known*: the same identity, with a mean confidence over the agreeing decisions of at least ``confidence``.
- *unknown* needs no agreement: it is what remains. Its reason says why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision, State

NOT_ENOUGH_EVIDENCE = "not enough evidence"
NOT_CONFIDENT = "not confident enough"
TIE = "a tie between names"


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
class Entry:
    """One decision on a track: its crop's evidence (None where the gate refused it), its frame's moment, and when."""

    decision: Decision
    evidence: CropEvidence | None
    captured_at: float
    decided_at: float


def agreeing_decisions(entries: Sequence[Entry], rules: VerdictRules) -> tuple[Sequence[Entry], str]:
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


def _winner(entries: Sequence[Entry], state: State, rules: VerdictRules) -> tuple[Sequence[Entry], str]:
    """The decisions for the one name on which enough agree; or none, and why nearly (\"\" where not nearly)."""
    votes = [entry for entry in entries if entry.decision.state == state]
    ranking = Counter(_name(entry.decision) for entry in votes).most_common(2)
    if not ranking or ranking[0][1] < rules.agreement:
        return (), ""
    if len(ranking) == 2 and ranking[0][1] == ranking[1][1]:
        return (), TIE
    winners = [entry for entry in votes if _name(entry.decision) == ranking[0][0]]
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


def _name(decision: Decision) -> str | None:
    return decision.claimed if decision.state == "suspected_attack" else decision.identity


def mean_confidence(entries: Sequence[Entry]) -> float:
    """Over at least one decision."""
    return math.fsum(entry.decision.confidence for entry in entries) / len(entries)


def agreed_likely(agreeing: Sequence[Entry]) -> str | None:
    """The name that most of the agreeing attack decisions hold likely; None where none or two lead."""
    names = Counter(e.decision.likely for e in agreeing if e.decision.likely is not None).most_common(2)
    if not names or (len(names) == 2 and names[0][1] == names[1][1]):
        return None
    return names[0][0]

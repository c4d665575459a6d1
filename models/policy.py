"""From one crop's evidence to a decision. Pure: the evaluation and the live tracks share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.evidence import CropEvidence, Floats

State = Literal["known", "unknown", "suspected_attack"]
STRANGER = "stranger, or not confident enough"
UNDECIDED = "not enough evidence outside the {} zone"


@dataclass(frozen=True)
class Policy:
    """When a name is believed.

    ``threshold``: a view names somebody with confidence from this probability on.
    ``confirm``: the defended view bears the raw name out if it gives the same name at least this probability.

    Where there are zone views: ``zone_threshold``: from here on a zone view names somebody with confidence,
    whatever the other views say. ``zone_confirm``: what every zone view has to give a name that is to be
    known. ``zone_dissent``: a zone view that gives the claimed name no more than this speaks against it;
    between the two it is undecided, and so is the decision.
    """

    threshold: float = 0.8
    confirm: float = 0.5
    zone_threshold: float = 0.8
    zone_confirm: float = 0.5
    zone_dissent: float = 0.1


@dataclass(frozen=True)
class Decision:
    """What one crop says. ``identity`` is set when known; ``claimed`` and ``likely`` when attacked.

    ``confidence`` is that of the name reported (``identity`` or ``claimed``; the best guess when unknown),
    ``dissent`` names the view that did not bear the raw name out.
    """

    state: State
    identity: str | None
    claimed: str | None
    likely: str | None
    confidence: float
    reason: str
    dissent: str | None = None


@dataclass(frozen=True)
class _View:
    name: str
    best: int
    probability: float


def _view(name: str, probabilities: Floats) -> _View:
    best = int(np.argmax(probabilities))
    return _View(name, best, float(probabilities[best]))


def decide_undefended(evidence: CropEvidence, policy: Policy) -> Decision:
    """What the recogniser would say without any defence: the raw view's name, if it is confident."""
    raw = _view("raw", evidence.raw)
    if raw.probability < policy.threshold:
        return Decision("unknown", None, None, None, raw.probability, STRANGER)
    return Decision("known", evidence.labels[raw.best], None, None, raw.probability, "")


def decide(evidence: CropEvidence, policy: Policy) -> Decision:
    """SuspectedAttack before Known before Unknown; with zone views ``decide_by_zones``, without them as published.

    An attack is suspected where the raw view names somebody with confidence and the saliency-masked view
    does not bear that name out; ``likely`` is then the name which that view gives with confidence, if any.
    """
    if evidence.zones:
        return decide_by_zones(evidence, policy)
    labels = evidence.labels
    raw, masked = _view("raw", evidence.raw), _view("saliency", evidence.defended)
    if raw.probability < policy.threshold:
        return Decision("unknown", None, None, None, raw.probability, STRANGER)
    if masked.best == raw.best and masked.probability >= policy.confirm:
        return Decision("known", labels[raw.best], None, None, min(raw.probability, masked.probability), "")
    other = masked.best != raw.best and masked.probability >= policy.threshold
    return _suspected(labels, raw, masked, likely=masked.best if other else None)


def decide_by_zones(evidence: CropEvidence, policy: Policy) -> Decision:
    """The decision where each zone's view has a veto; the first zone is the one whose name is told.

    Two things hold whatever the pixels of a zone show, given the crop: (a) nobody is ``known`` to whom that
    zone's view gives less than ``zone_confirm``; (b) a name that the first zone's view gives
    ``zone_threshold`` is told, as ``identity`` or as ``likely``, unless another zone's view speaks against it.
    """
    labels = evidence.labels
    raw = _view("raw", evidence.raw)
    zones = [_view(zone, view) for zone, view in zip(evidence.zones, evidence.views, strict=True)]
    first = zones[0]
    sure = first.probability >= policy.zone_threshold
    claim = raw if raw.probability >= policy.threshold else first if sure else None
    if claim is None:
        return Decision("unknown", None, None, None, raw.probability, STRANGER)
    given = [float(view[claim.best]) for view in evidence.views]
    if min(given) >= policy.zone_confirm:
        return Decision("known", labels[claim.best], None, None, min(claim.probability, *given), "")
    against = [
        zone
        for zone, probability in zip(zones, given, strict=True)
        if probability <= policy.zone_dissent or (zone.best != claim.best and zone.probability >= policy.zone_threshold)
    ]
    if not against:
        weakest = zones[int(np.argmin(given))]
        return Decision("unknown", None, None, None, min(given), UNDECIDED.format(weakest.name.replace("_", " ")))
    return _suspected(labels, claim, against[0], likely=_likely(evidence, policy, claim, against[0]))


def last_word(evidence: CropEvidence, policy: Policy) -> Floats:
    """The probabilities (K,) of who it is, after the defence.

    The saliency-masked view's where the evidence has no zones. Otherwise the raw view's, unless a zone's view gives
    the name that the raw view names no more than ``zone_dissent``: then that view's, whose zone no attacker reaches.
    No mixture of the two: that view sees a part of the same picture, and is right less often on faces left alone.
    """
    if not evidence.zones:
        return evidence.defended
    best = int(np.argmax(evidence.raw))
    against: list[Floats] = [view for view in evidence.views if view[best] <= policy.zone_dissent]
    return against[0] if against else evidence.raw


def _likely(evidence: CropEvidence, policy: Policy, claim: _View, dissenting: _View) -> int | None:
    """Who it is if not the claimed: the dissenting zone's word, or what it and the saliency's view agree on."""
    if dissenting.best == claim.best:
        return None
    if dissenting.probability >= policy.zone_confirm:
        return dissenting.best
    masked = _view("saliency", evidence.defended)
    return dissenting.best if masked.best == dissenting.best else None


def _suspected(labels: tuple[str, ...], claim: _View, dissenting: _View, *, likely: int | None) -> Decision:
    return Decision(
        state="suspected_attack",
        identity=None,
        claimed=labels[claim.best],
        likely=None if likely is None else labels[likely],
        confidence=claim.probability,
        reason=f"the {dissenting.name} view does not bear {labels[claim.best]} out",
        dissent=dissenting.name,
    )

"""From one crop's evidence to a decision. Pure: the evaluation and the live tracks share it.

What is no number (NaN) reaches no threshold: such evidence makes nobody known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.arrays import Bools, Floats
from models.evidence import CropEvidence

State = Literal["known", "unknown", "suspected_attack"]
STRANGER = "stranger, or not confident enough"
BELOW_FLOOR = "a view is not confident enough"
UNDECIDED = "not enough evidence outside the {} zone"


@dataclass(frozen=True)
class Policy:
    """When a name is believed.

    ``threshold``: a view names somebody with confidence from this probability on.
    ``confirm``: the defended view bears the raw name out if it gives the same name at least this probability; with
    zone views, who has this probability behind what is worn is ``likely``.

    Where there are zone views: ``zone_threshold``: from here on a zone view names somebody with confidence.
    ``zone_confirm``: what the first zone's view has to give a name that is to be known. ``zone_dissent``: if it
    gives the claimed name no more than this it speaks against it; between the two it is undecided, and so is the
    decision. ``further_confirm``: the view of any further zone speaks against a name to which it gives less. There
    is no between for them: an undecided view would leave a name untold that the first zone's view is sure of.

    ``zone_lead``: whoever is known gets from the first zone's view at least so many times what it gives anybody else
    (0: that is not asked). So whatever is worn in that zone, at most one person can be known. ``further_lead``: the
    same of every further zone's view.

    ``floor``: nobody is known to whom any view that had a say gives less, whatever the other values are.
    """

    threshold: float = 0.8
    confirm: float = 0.5
    zone_threshold: float = 0.8
    zone_confirm: float = 0.5
    zone_dissent: float = 0.1
    further_confirm: float = 0.5
    zone_lead: float = 0.0
    further_lead: float = 0.0
    floor: float = 0.1

    def confirm_of(self, number: int) -> float:
        """What the view of zone ``number`` (0: the first) has to give a name that is to be known."""
        return self.further_confirm if number else self.zone_confirm

    def least_of(self, number: int) -> float:
        """What that view gives at least to whoever is known: nobody to whom it gives less can be."""
        return max(self.confirm_of(number), self.floor)

    def lead_of(self, number: int) -> float:
        """How many times what it gives anybody else that view gives to whoever is known."""
        return self.further_lead if number else self.zone_lead

    def leads(self, number: int, views: Floats) -> Bools:
        """(..., K) what that view gives of everybody -> (..., K) to whom it gives ``lead_of`` it."""
        given = views.astype(np.float64)
        return np.asarray(given >= self.lead_of(number) * most_of_others(given))

    def needed(self, number: int, views: Floats) -> npt.NDArray[np.float64]:
        """(..., K) what that view gives of everybody -> (..., K) what it has to give each of them to be known."""
        return np.maximum(self.least_of(number), self.lead_of(number) * most_of_others(views.astype(np.float64)))

    def allowed(self, number: int, views: Floats) -> Bools:
        """(..., K) what that view gives of everybody -> (..., K) who of them can be known, whatever it does not see."""
        return np.asarray(views.astype(np.float64) >= self.needed(number, views))


def most_of_others(given: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(..., K) probabilities -> (..., K): of each person, the most that anybody else gets; 0 where nobody else is."""
    if given.shape[-1] < 2:
        return np.zeros_like(given)
    second, highest = np.moveaxis(np.partition(given, -2, axis=-1)[..., -2:, None], -2, 0)
    return np.asarray(np.where(given == highest, second, highest))


@dataclass(frozen=True)
class Decision:
    """What one crop says. ``identity`` is set when known; ``claimed`` and ``likely`` when attacked.

    ``confidence`` is what the weakest of the views that speak for the name reported gives it (``identity`` or
    ``claimed``; the best guess when unknown),
    ``dissent`` names the view that did not bear the raw name out.
    """

    state: State
    identity: str | None
    claimed: str | None
    likely: str | None
    confidence: float
    reason: str
    dissent: str | None = None

    @classmethod
    def known(cls, identity: str, confidence: float) -> Decision:
        """Somebody, borne out."""
        return cls("known", identity, None, None, confidence, "")

    @classmethod
    def unknown(cls, reason: str, confidence: float = 0.0) -> Decision:
        """Nobody; ``confidence`` is that of the best guess, 0 where nothing was classified."""
        return cls("unknown", None, None, None, confidence, reason)

    @classmethod
    def suspected(
        cls, claimed: str, confidence: float, *, likely: str | None = None, reason: str = "", dissent: str | None = None
    ) -> Decision:
        """An attack that claims to be somebody; ``likely`` is who it is, where that can be told."""
        return cls("suspected_attack", None, claimed, likely, confidence, reason, dissent)


@dataclass(frozen=True)
class _View:
    name: str
    best: int
    probability: float

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")


def _view(name: str, probabilities: Floats) -> _View:
    if len(probabilities) == 0:  # a gallery without people
        return _View(name, -1, 0.0)
    best = int(np.argmax(probabilities))
    return _View(name, best, float(probabilities[best]))


def decide_undefended(evidence: CropEvidence, policy: Policy) -> Decision:
    """What the recogniser would say without any defence: the raw view's name, if it is confident."""
    raw = _view("raw", evidence.raw)
    if not raw.probability >= policy.threshold:
        return Decision.unknown(STRANGER, raw.probability)
    return Decision.known(evidence.labels[raw.best], raw.probability)


def decide(evidence: CropEvidence, policy: Policy) -> Decision:
    """SuspectedAttack before Known before Unknown; with zone views ``decide_by_zones``, without them as published.

    An attack is suspected where the raw view names somebody with confidence and the saliency-masked view
    does not bear that name out; ``likely`` is then the name which that view gives with confidence, if any.
    """
    if evidence.zones:
        return decide_by_zones(evidence, policy)
    labels = evidence.labels
    raw, masked = _view("raw", evidence.raw), _view("saliency", evidence.defended)
    if not raw.probability >= policy.threshold:
        return Decision.unknown(STRANGER, raw.probability)
    if masked.best == raw.best and masked.probability >= policy.confirm:
        return _known(labels[raw.best], min(raw.probability, masked.probability), policy)
    other = masked.best != raw.best and masked.probability >= policy.threshold
    return _suspected(labels, raw, masked, likely=masked.best if other else None)


def decide_by_zones(evidence: CropEvidence, policy: Policy) -> Decision:
    """The decision where each zone's view has a veto on ``known``; the first zone's view also tells the name.

    Two things hold, given the crop: (a) whatever the pixels of any one zone show, nobody is ``known`` whom that zone's
    view does not allow (``Policy.allowed``); (b) whatever the pixels of the first zone show, a name that its view
    gives ``zone_threshold``, and ``zone_lead`` times what it gives anybody else, is told, as ``identity`` or as
    ``likely``.
    """
    labels = evidence.labels
    raw = _view("raw", evidence.raw)
    zones = [_view(zone, view) for zone, view in zip(evidence.zones, evidence.views, strict=True)]
    first = zones[0]
    sure = first.probability >= policy.zone_threshold and bool(policy.leads(0, evidence.views[0])[first.best])
    claim = raw if raw.probability >= policy.threshold else first if sure else None
    if claim is None:
        return Decision.unknown(STRANGER, raw.probability)
    given = [float(view[claim.best]) for view in evidence.views]
    leads = [bool(policy.leads(number, view)[claim.best]) for number, view in enumerate(evidence.views)]
    # A further view that only lacks the lead raises no alarm: it leaves the face unknown (``_known``).
    enough = [one >= policy.confirm_of(number) and (number > 0 or leads[0]) for number, one in enumerate(given)]
    lacking = [number for number, one in enumerate(enough) if not one]
    if not lacking:
        return _known(labels[claim.best], min(claim.probability, *given), policy, leading=all(leads))
    undecided = given[0] > policy.zone_dissent and (first.best == claim.best or not sure)
    against = [zones[number] for number in lacking if number > 0 or not undecided]
    if not against:
        return Decision.unknown(UNDECIDED.format(first.words), given[0])
    likely = first.best if sure else _likely(evidence, policy, claim)
    return _suspected(labels, claim, against[0], likely=likely)


def final_probabilities(evidence: CropEvidence, policy: Policy) -> Floats:
    """The probabilities (K,) of who it is, after the defence.

    The saliency-masked view's where the evidence has no zones. Otherwise the raw view's, unless the first zone's view
    gives the name that the raw view names no more than ``zone_dissent``: then ``wearer_probabilities``. Further
    zones have no say here: whoever wears something in the first zone also draws on their views.
    """
    if not evidence.zones:
        return evidence.defended
    if len(evidence.labels) == 0:
        return evidence.raw
    contested = evidence.views[0][int(np.argmax(evidence.raw))] <= policy.zone_dissent
    return wearer_probabilities(evidence, policy) if contested else evidence.raw


def wearer_probabilities(evidence: CropEvidence, policy: Policy) -> Floats:
    """The probabilities (K,) of who it is behind what is worn in the first zone.

    The zone's view and the saliency-masked one as if they were independent witnesses: the product, among the names
    that the zone's view gives more than ``zone_dissent``. So nothing in the zone brings up a name that this rules out.
    """
    first: Floats = evidence.views[0]
    both: Floats = np.where(first > policy.zone_dissent, first * evidence.defended, np.float32(0))
    total = float(both.sum())
    return both / np.float32(total) if total > 0 else first


def _likely(evidence: CropEvidence, policy: Policy, claim: _View) -> int | None:
    """Who it is if not the claimed: ``confirm``, more likely than not, is enough, for nobody is let in by this."""
    found = _view("wearer", wearer_probabilities(evidence, policy))
    return found.best if found.best != claim.best and found.probability >= policy.confirm else None


def _known(name: str, confidence: float, policy: Policy, *, leading: bool = True) -> Decision:
    """The name, unless the weakest view gives it less than the floor, or a view gives somebody else too much."""
    if not (leading and confidence >= policy.floor):
        return Decision.unknown(BELOW_FLOOR, confidence)
    return Decision.known(name, confidence)


def _suspected(labels: tuple[str, ...], claim: _View, dissenting: _View, *, likely: int | None) -> Decision:
    return Decision.suspected(
        labels[claim.best],
        claim.probability,
        likely=None if likely is None else labels[likely],
        reason=f"the {dissenting.words} view does not bear {labels[claim.best]} out",
        dissent=dissenting.name,
    )

"""A decision's evidence in words that somebody at a door understands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import Bools, Bytes, Floats
from models.crop.zones import ZONES, hide, zone_mask
from models.evidence import CropEvidence
from models.policy import BELOW_FLOOR, STRANGER, Decision, Policy, State

#: What each zone hides, in plain words.
HIDES = {
    "eyewear": "the eyes",
    "wide_eyewear": "the eyes",
    "lower_face": "mouth and chin",
    "forehead": "the forehead",
    "cheeks": "the cheeks",
}
WHOLE = "whole face"
_FILL = (124, 117, 104)
_REFUSED = {
    "too small": "The face is too small to be judged: come nearer.",
    "cut off": "The face is cut off by the picture's edge.",
    "profile": "The face is turned away: it has to look towards the camera.",
    "blurred": "The face is blurred.",
}


@dataclass(frozen=True)
class View:
    """One look at the face: ``crop`` (S, S, 3) RGB is what the network saw.

    ``best``: the likeliest name and its probability, "" in a gallery without people. ``given``: what it gives the name
    that the explanation is about. ``needed``: what it has to give, None where that is not known. ``looked``: False
    where nobody looked; the figures mean nothing then.
    """

    title: str
    crop: Bytes
    best: str
    probability: float
    given: float
    needed: float | None
    looked: bool = True
    against: bool = False

    @property
    def words(self) -> str:
        """What it says, in a few words."""
        if not self.looked:
            return "not looked at"
        return f"most like {self.best}, {percent(self.probability)}" if self.best else "nobody is enrolled"


@dataclass(frozen=True)
class Explanation:
    """Why one face was decided on as it was.

    ``about``: the name in question, known or claimed or the likeliest; "" where there is none. ``heading`` and
    ``sentences`` are for people. ``saliency`` (S, S) in [0, 1] and ``mask`` (S, S) are None where nobody looked.
    """

    state: State
    heading: str
    sentences: tuple[str, ...]
    about: str
    crop: Bytes  # (S, S, 3) RGB
    views: tuple[View, ...] = ()
    saliency: Floats | None = None
    mask: Bools | None = None
    masked: View | None = None

    def as_dict(self) -> dict[str, object]:
        """The words and figures, ready for JSON."""
        views = [
            {
                "view": one.title,
                "looked_at": one.looked,
                "most_like": one.best or None,
                "probability": round(one.probability, 6),
                "given_to_name": round(one.given, 6),
                "needed": one.needed,
                "against": one.against,
            }
            for one in (*self.views, *([self.masked] if self.masked is not None else []))
        ]
        return {
            "state": self.state,
            "heading": self.heading,
            "sentences": list(self.sentences),
            "name": self.about or None,
            "views": views,
        }


def explained(
    crop: Bytes,
    decision: Decision,
    evidence: CropEvidence | None,
    policy: Policy | None = None,
    fill: tuple[int, int, int] = _FILL,
) -> Explanation:
    """Explain one decision on ``crop`` (S, S, 3) RGB.

    Args:
        evidence: None for a face that the quality gate refused.
        policy: to say what each view has to give; None: it is not said.
        fill: RGB of what is hidden.
    """
    heading = heading_of(decision)
    if evidence is None or not evidence.labels:
        said = _REFUSED.get(decision.reason, decision.reason or "Nobody is enrolled.")
        return Explanation(decision.state, heading, (said,), "", crop)
    best = evidence.labels[int(np.argmax(evidence.raw))]
    about = decision.identity or decision.claimed or best
    place = evidence.labels.index(about) if about in evidence.labels else -1
    views = _views(crop, evidence, place, policy, fill, decision.dissent)
    seen = evidence.explained
    return Explanation(
        decision.state,
        heading,
        tuple(_sentences(decision, about, views)),
        about,
        crop,
        views,
        evidence.saliency if seen else None,
        evidence.mask if seen else None,
        _view("what is unnaturally salient hidden", evidence.masked_crop, evidence.labels, evidence.defended, place)
        if seen
        else None,
    )


def heading_of(decision: Decision) -> str:
    """The answer in one line."""
    if decision.state == "known":
        return f"Known: {decision.identity}"
    if decision.state == "suspected_attack":
        tail = f", likely {decision.likely}" if decision.likely not in (None, decision.claimed) else ""
        return f"Suspected attack: passes for {decision.claimed}{tail}"
    return "Unknown"


def hidden_words(zone: str) -> str:
    """What a zone hides: ``wide_eyewear`` becomes "the eyes"."""
    return HIDES.get(zone, f"the {zone.replace('_', ' ')} part")


def percent(share: float) -> str:
    """Shares below one in a hundred keep a digit that says something."""
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2g} %"


def _views(
    crop: Bytes,
    evidence: CropEvidence,
    place: int,
    policy: Policy | None,
    fill: tuple[int, int, int],
    dissent: str | None,
) -> tuple[View, ...]:
    labels, side = evidence.labels, crop.shape[0]
    needed = None if policy is None else policy.threshold
    found = [_view(WHOLE, crop, labels, evidence.raw, place, needed)]
    for number, (zone, given, looked) in enumerate(zip(evidence.zones, evidence.views, evidence.looked, strict=True)):
        seen = hide(crop[None], zone_mask(zone, side), fill)[0] if zone in ZONES and side >= 16 else crop
        if policy is not None:
            needed = float(policy.needed(number, given)[place]) if place >= 0 else policy.least_of(number)
        against = zone == dissent
        title = f"{hidden_words(zone)} hidden"
        found.append(_view(title, seen, labels, given, place, needed, looked=bool(looked), against=against))
    return tuple(found)


def _view(
    title: str,
    crop: Bytes,
    labels: tuple[str, ...],
    given: Floats,
    place: int,
    needed: float | None = None,
    *,
    looked: bool = True,
    against: bool = False,
) -> View:
    best = int(np.argmax(given))
    name, probability = labels[best], float(given[best])
    mine = float(given[place]) if place >= 0 else 0.0
    return View(title, crop, name, probability, mine, needed, looked, against)


def _sentences(decision: Decision, about: str, views: tuple[View, ...]) -> list[str]:
    whole, *others = views
    looked = [one for one in others if one.looked]
    if decision.state == "known":
        return _of_known(about, views)
    if decision.state == "suspected_attack":
        return _of_attack(decision, about, whole, looked)
    if decision.reason == STRANGER:
        return [
            "This looks like nobody who is enrolled.",
            f"The likeliest would be {about}, with only {percent(whole.given)}.",
        ]
    if decision.reason == BELOW_FLOOR:
        weakest = min(views, key=lambda one: one.given)
        return [
            f"The face is like {about}, but with {weakest.title} hardly ({percent(weakest.given)}).",
            "No name is given on so little.",
        ]
    if decision.reason in _REFUSED:
        return [_REFUSED[decision.reason]]
    first = looked[0] if looked else whole
    return [
        f"The whole face looks like {about} ({percent(whole.given)}).",
        f"With {first.title} that can neither be confirmed nor denied ({percent(first.given)}), so no name is given.",
        *([f"({decision.reason})"] if decision.reason else []),
    ]


def _of_known(about: str, views: tuple[View, ...]) -> list[str]:
    looked = [one for one in views if one.looked]
    weakest = min(looked, key=lambda one: one.given)
    said = [f"The whole face looks like {about} ({percent(views[0].given)})."]
    if len(looked) > 1:
        said.append(
            f"It still does with every part hidden in turn; least with {weakest.title} ({percent(weakest.given)})."
        )
        said.append("So nothing worn in one place can have made the name.")
    return said


def _of_attack(decision: Decision, about: str, whole: View, looked: list[View]) -> list[str]:
    against = next((one for one in looked if one.against), None)
    said = [f"The whole face passes for {about} ({percent(whole.given)})."]
    if against is not None:
        said.append(f"With {against.title} it does not: {about} gets {percent(against.given)} there.")
        said.append("What is worn there may be what makes the face look like somebody else.")
    else:
        said.append("With what is unnaturally salient hidden it does not.")
    if decision.likely not in (None, decision.claimed):
        said.append(f"Beneath it is likely {decision.likely}.")
    else:
        said.append("Who it is beneath cannot be told.")
    said.append("Do not let the person in on the strength of this picture; look yourself.")
    return said

"""How a new person's own pictures would be decided on, each left out of the mean: by the policy, with every view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats
from models.evidence import CropEvidence
from models.gallery.gallery import Gallery, Person, unit
from models.gallery.match import Matcher, Scale
from models.policy import Policy, decide


@dataclass(frozen=True)
class Trial:
    """Of ``tried`` pictures (0: only one, so nothing can be left out) ``known`` are told rightly, and ``taken_for``
    names whom the others were taken for or claimed to be, picture by picture ("" where nobody)."""

    tried: int
    known: int
    taken_for: tuple[str, ...] = ()


def tried_out(
    gallery: Gallery,
    name: str,
    embeddings: Floats,
    cohort: Floats,
    scale: Scale,
    policy: Policy,
    zones: tuple[str, ...],
    former: Person | None = None,
) -> Trial:
    """Decide on each of the pictures (P, 1 + V, D) that ``name`` was just given, without its part in the means.

    Args:
        gallery: with the person in it.
        cohort: (1 + V, C, D).
        zones: the views that have a say, out of the gallery's.
        former: whoever had that name before, and was given these pictures too.
    """
    person = gallery.person(name)
    place = gallery.people.index(person)
    if len(embeddings) < 2 and former is None:
        return Trial(0, 0)
    embeddings = unit(embeddings)
    others = (len(embeddings) - 1) * unit(embeddings.sum(axis=0) - embeddings)  # (P, 1 + V, D)
    others = unit(others if former is None else others + former.counts * former.means)
    matcher = Matcher(gallery, cohort, scale)
    order = [0, *(1 + gallery.views.index(zone) for zone in zones)]
    given = np.stack([_given(matcher, embeddings[:, v], others[:, v], v, place) for v in order], axis=1)
    decisions = [decide(_evidence(gallery.labels, one, zones), policy) for one in given]
    known = [decision.identity == person.name for decision in decisions]
    wrong = tuple(d.identity or d.claimed or "" for d, right in zip(decisions, known, strict=True) if not right)
    return Trial(len(embeddings), sum(known), wrong)


def _given(matcher: Matcher, embeddings: Floats, others: Floats, view: int, place: int) -> Floats:
    """(P, K) probabilities with the person's own column from their other pictures."""
    logits = matcher.logits(embeddings, view).astype(np.float64)
    logits[:, place] = np.einsum("pd,pd->p", embeddings, others) / matcher.temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = (powers / powers.sum(axis=1, keepdims=True))[:, : len(matcher.labels)].astype(np.float32)
    return found


def _evidence(labels: tuple[str, ...], given: Floats, zones: tuple[str, ...]) -> CropEvidence:
    """What the policy needs, without pictures: ``given`` is (1 + V, K)."""
    nothing = np.zeros((1, 1), np.float32)
    return CropEvidence(
        labels=labels,
        raw=given[0],
        saliency=nothing,
        mask=nothing > 0,
        masked_crop=np.zeros((1, 1, 3), np.uint8),
        defended=given[0],
        views=given[1:],
        zones=zones,
    )

"""What the policy says of many faces, and what no single worn thing inside the cover can make it say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats, Labels
from models.gallery.gallery import Gallery
from models.gallery.match import Matcher, Scale
from models.policy import Decision, Policy, decide
from models.recogniser import Recogniser
from tools.common.report import Proportion
from tools.crafting.attacked_faces import nobody
from tools.evaluation.answered import views_only
from tools.evaluation.certificates import identity, no_impersonation
from tools.evaluation.measures import Flags, share
from tools.evaluation.open_set import Faces, gallery_from


def policy_figures(
    recogniser: Recogniser, known: Floats, labels: Labels, strangers: Faces
) -> dict[str, Proportion | float | list[str]]:
    """One picture, all views of the policy at once.

    Args:
        known: (N, 1 + V, D) embeddings, ``labels`` (N,) into the gallery.
        strangers: whoever is in no gallery.
    """
    policy, zones = recogniser.policy, recogniser.zones
    names, foreign = strangers.names(), nobody(len(strangers.labels))
    raw, views = recogniser.compare(known)
    others_raw, others = recogniser.compare(strangers.embeddings)
    decisions, of_strangers = decided(policy, raw, views, zones), decided(policy, others_raw, others, zones)
    right = np.array([d.identity == str(label) for d, label in zip(decisions, labels, strict=True)])
    return {
        "zones": list(zones),
        "known_rightly": share(right),
        "known_wrongly": share(_in(decisions, "known") & ~right),
        "called_an_attack": share(_in(decisions, "suspected_attack")),
        "strangers_known": share(_in(of_strangers, "known"), people=names),
        "strangers_called_an_attack": share(_in(of_strangers, "suspected_attack"), people=names),
        "nobody_else_can_be_known_by_eyewear": share(no_impersonation(policy, views[:, 0], labels)),
        "nobody_can_be_known_by_eyewear_of_strangers": share(
            no_impersonation(policy, others[:, 0], foreign), people=names
        ),
        "nobody_else_can_be_known": share(covered(policy, views, labels)),
        "nobody_can_be_known_of_strangers": share(covered(policy, others, foreign), people=names),
        "a_given_name_cannot_be_known": given_name_is_safe(policy, views, labels),
        "a_given_name_cannot_be_known_of_strangers": given_name_is_safe(policy, others, foreign),
        "right_name_told_under_eyewear": share(identity(policy, views[:, 0], labels)),
    }


def against_gallery_size(
    policy: Policy, strangers: Faces, cohort: Floats, scale: Scale, sizes: Sequence[int], *, like: Gallery
) -> dict[str, dict[str, Proportion]]:
    """Strangers with so many people in the gallery, in one picture: named by the raw view alone, known by the policy.

    The people are those of ``strangers`` with most pictures, each enrolled from one; theirs are left out. Every view
    of ``like`` has its say.
    """
    pictures = np.bincount(strangers.labels, minlength=len(strangers.people))
    order = np.argsort(-pictures, kind="stable")
    names = strangers.names()
    figures: dict[str, dict[str, Proportion]] = {}
    for size in sizes:
        enrolled = order[:size]
        first = {int(person): np.flatnonzero(strangers.labels == person)[:1] for person in enrolled}
        matcher = Matcher(gallery_from(strangers, first, like), cohort, scale)
        others = np.flatnonzero(~np.isin(strangers.labels, enrolled))
        given = [matcher.probabilities(strangers.embeddings[others, v], v) for v in range(1 + len(like.views))]
        decisions = decided(policy, given[0], np.stack(given[1:], axis=1), like.views)
        people = [names[place] for place in others]
        figures[str(size)] = {
            "raw_named": share(given[0].max(axis=1) >= policy.threshold, people=people),
            "known": share(_in(decisions, "known"), people=people),
        }
    return figures


def decided(policy: Policy, raw: Floats, views: Floats, zones: tuple[str, ...]) -> list[Decision]:
    """The policy's word on N faces; people are called by their index, and nothing is masked by saliency."""
    labels = tuple(str(index) for index in range(raw.shape[1]))
    return [decide(one, policy) for one in views_only(labels, raw, raw, views, zones)]


def covered(policy: Policy, views: Floats, labels: Labels) -> Flags:
    """Certificate (a'): (N,) no view (N, V, K) gives anybody else what a known name needs of it.

    Whatever one thing inside the cover shows, one view never saw it; that view alone keeps everybody else unknown.
    """
    each = [no_impersonation(policy, views[:, i], labels, i) for i in range(views.shape[1])]
    return np.asarray(np.all(each, axis=0))


def given_name_is_safe(policy: Policy, views: Floats, labels: Labels) -> float:
    """Mean over the names of the share of faces for which every view keeps that name, another's, unknown."""
    safe = np.all([~policy.allowed(i, views[:, i]) for i in range(views.shape[1])], axis=0)  # (N, K)
    own = labels[:, None] == np.arange(views.shape[2])
    return round(float(np.mean(safe[~own])), 4)


def _in(decisions: list[Decision], state: str) -> Flags:
    return np.array([decision.state == state for decision in decisions])

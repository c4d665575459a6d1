"""The columns of the evaluation, from arrays. Every share carries its n and its 95 % Wilson interval, every mean
its n and the 95 % interval of Student's t. Denominators are written into the figures' names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from models.arrays import Bools, Floats, Labels
from models.policy import Decision
from tools.common.report import OverPeople, Proportion, proportion
from tools.crafting.attacked_faces import NOBODY
from tools.evaluation.figures import AttackFigures, CleanFigures, Interval, Mean, States, WorstCase
from tools.tuning.goodness import bootstrap

Flags = npt.NDArray[np.bool_]


def share(flags: Flags, among: Flags | None = None, *, people: Sequence[str] | None = None) -> Proportion:
    """How many of ``among`` (all) are true; with ``people``, whose each face (N,) is, also ``over_people``."""
    counted = flags if among is None else flags[among]
    figure = proportion(int(counted.sum()), len(counted))
    if people is not None:
        figure["over_people"] = over_people(flags, people)
    return figure


def over_people(flags: Flags, people: Sequence[str], *, draws: int = 10_000) -> OverPeople:
    """``people`` (how many), ``low`` and ``high``: 95 % percentile interval of the share, people drawn anew.

    A few faces of few people are no independent draws: one lookalike decides. Seeded. Without an interval below two
    people.
    """
    names, whose = np.unique(np.asarray(people), return_inverse=True)
    if len(names) < 2:
        return {"people": len(names), "low": None, "high": None}
    faces, hits = np.bincount(whose), np.bincount(whose, weights=flags)
    drawn = np.random.default_rng(0).integers(0, len(names), (draws, len(names)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / faces[drawn].sum(axis=1), [0.025, 0.975])
    return {"people": len(names), "low": round(float(low), 4), "high": round(float(high), 4)}


def mean(values: npt.NDArray[np.floating]) -> Mean:
    """``mean``, ``low``, ``high``, ``n``; without an interval below two values."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    n = len(known)
    if n == 0:
        return {"mean": None, "low": None, "high": None, "n": 0}
    centre = float(known.mean())
    if n == 1:
        return {"mean": round(centre, 4), "low": None, "high": None, "n": 1}
    half = float(student.ppf(0.975, n - 1)) * float(known.std(ddof=1)) / n**0.5
    return {"mean": round(centre, 4), "low": round(centre - half, 4), "high": round(centre + half, 4), "n": n}


def clean_figures(defended: Floats, labels: Labels, mask: Bools, threshold: float) -> CleanFigures:
    """Faces that nobody attacked: (N, K) probabilities after the defence, masks (N, S, S)."""
    right, sure = defended.argmax(axis=1) == labels, defended.max(axis=1) >= threshold
    return {
        "accuracy": share(right),
        "accuracy_at_threshold": share(right & sure),
        "abstained_at_threshold": share(~sure),
        "confidence_real": mean(defended[np.arange(len(labels)), labels]),
        "masked": mean(mask.mean(axis=(1, 2))),
    }


def attack_figures(raw: Floats, defended: Floats, labels: Labels, targets: Labels, threshold: float) -> AttackFigures:
    """Attacked faces: ``raw`` (N, K) is the undefended bundle's answer, ``defended`` that after the defence.

    Defence success is *target before, true name after*, once over all attacked faces (the article's 34 of
    60) and once over those that had fooled the undefended bundle. ``labels`` are ``NOBODY`` for strangers,
    ``targets`` when dodging; what has no meaning then is None. A dodge has fooled the bundle when it names
    anybody else.
    """
    strangers, dodging = bool((labels == NOBODY).any()), bool((targets == NOBODY).any())
    named, sure = defended.argmax(axis=1), defended.max(axis=1) >= threshold
    right = named == labels
    before = raw.argmax(axis=1)
    fooled = before != labels if dodging else before == targets
    fooled_surely = fooled & (raw.max(axis=1) >= threshold)
    saved = fooled & right
    everyone = np.arange(len(labels))
    return {
        "n": len(labels),
        "accuracy": None if strangers else share(right),
        "targeted_success": None if dodging else share(named == targets),
        "untargeted_success": None if strangers else share(~right),
        "defence_success_of_all": None if strangers else share(saved),
        "defence_success_of_fooled": None if strangers else share(saved, fooled),
        "abstained_at_threshold": share(~sure),
        "accuracy_at_threshold": None if strangers else share(right & sure),
        "targeted_success_at_threshold": None if dodging else share((named == targets) & sure),
        "untargeted_success_at_threshold": None if strangers else share(~right & sure),
        "defence_success_of_all_at_threshold": None if strangers else share(saved & sure),
        "defence_success_of_fooled_at_threshold": None if strangers else share(saved & sure, fooled_surely),
        "confidence_real": None if strangers else mean(defended[everyone, labels]),
        "confidence_target": None if dodging else mean(defended[everyone, targets]),
    }


def goodness(clean: CleanFigures, attacked: AttackFigures) -> float | None:
    """From ``clean_figures`` and ``attack_figures`` of an impersonation: the mean of the confidence in the right name
    on clean faces, of that on attacked ones, and of one minus that in the target."""
    means = (clean["confidence_real"], attacked["confidence_real"], attacked["confidence_target"])
    terms = [figure["mean"] for figure in means if figure is not None and figure["mean"] is not None]
    return None if len(terms) < len(means) else round((terms[0] + terms[1] + 1 - terms[2]) / 3, 4)


def goodness_interval(
    clean: Floats, clean_labels: Labels, attacked: Floats, labels: Labels, targets: Labels
) -> Interval | None:
    """``low`` and ``high``, 95 %, of the goodness that (N, K) and (M, K) probabilities after the defence give, faces
    drawn anew; None where it has no meaning."""
    if NOBODY in labels or NOBODY in targets:
        return None
    everyone = np.arange(len(labels))
    margin = attacked[everyone, labels] - attacked[everyone, targets]
    found = bootstrap(clean[np.arange(len(clean_labels)), clean_labels], margin)
    return {"low": found["low"], "high": found["high"]}


def state_figures(
    decisions: Sequence[Decision],
    labels: Labels,
    targets: Labels,
    names: Sequence[str],
    *,
    lost: Flags | None = None,
    people: Sequence[str] | None = None,
) -> States:
    """What the policy says of N faces; the parts add up to all of them.

    ``people`` (N,): whose faces they are, where an interval over people is wanted (strangers: they are few).
    ``lost`` (N,): the detector finds a face on the original but none on the attacked picture.
    ``known_target`` is part of ``known_other``; ``likely_true`` and ``likely_other`` of ``suspected_attack``;
    ``right_name_told`` is ``known_true`` and ``likely_true`` together.
    """
    n = len(decisions)
    gone = np.zeros(n, np.bool_) if lost is None else lost
    truth = [None if label == NOBODY else names[label] for label in labels]
    goal = [None if target == NOBODY else names[target] for target in targets]

    def count(flags: list[bool]) -> Proportion:
        return share(np.array(flags, np.bool_) & ~gone, people=people)

    known = [decision.state == "known" for decision in decisions]
    suspected = [decision.state == "suspected_attack" for decision in decisions]
    return {
        "known_true": count([k and d.identity == t for k, d, t in zip(known, decisions, truth, strict=True)]),
        "known_other": count([k and d.identity != t for k, d, t in zip(known, decisions, truth, strict=True)]),
        "known_target": count([k and d.identity == g for k, d, g in zip(known, decisions, goal, strict=True)]),
        "suspected_attack": count(suspected),
        "likely_true": count(
            [s and t is not None and d.likely == t for s, d, t in zip(suspected, decisions, truth, strict=True)]
        ),
        "likely_other": count(
            [s and d.likely not in (None, t) for s, d, t in zip(suspected, decisions, truth, strict=True)]
        ),
        "right_name_told": count(
            [t is not None and t in (d.identity, d.likely) for d, t in zip(decisions, truth, strict=True)]
        ),
        "unknown": count([decision.state == "unknown" for decision in decisions]),
        "no_face_found": share(gone),
    }


def mask_figures(mask: Bools, region: Bools) -> dict[str, Mean]:
    """The masks (N, S, S) against the accessory (S, S): means over the faces; precision of non-empty masks."""
    hit = (mask & region).sum(axis=(1, 2), dtype=np.float64)
    size, frame = mask.sum(axis=(1, 2), dtype=np.float64), float(region.sum())
    precision = np.divide(hit, size, out=np.full_like(hit, np.nan), where=size > 0)
    return {
        "recall": mean(hit / frame),
        "precision": mean(precision),
        "iou": mean(hit / (size + frame - hit)),
        "masked": mean(mask.mean(axis=(1, 2))),
    }


def worst_case(successes: Mapping[str, Flags]) -> WorstCase:
    """Over attacks on the same pairs: the strongest one, and pairs that fall to any of them.

    Args:
        successes: by attack, (N,) whether it succeeded; cut to the pairs that all have.
    """
    n = min(len(flags) for flags in successes.values())
    cut = {name: flags[:n] for name, flags in successes.items()}
    strongest = max(cut, key=lambda name: int(cut[name].sum()))
    return {
        "attacks": list(cut),
        "strongest": strongest,
        "strongest_success": share(cut[strongest]),
        "any_attack_success": share(np.any(list(cut.values()), axis=0)),
    }

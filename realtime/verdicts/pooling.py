"""What a track's recent decisions say together, view by view.

Frames of one face a few tenths of a second apart err alike. So what a view says of them is averaged (the mean of the
log-probabilities), never multiplied: eight frames make no view surer than each was, they only quieten its noise. What
is older weighs less, and a view that nobody looked at says nothing.

The arrays are those of ``CropEvidence``: K people, and what is missing to 1 is nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from models.arrays import Floats
from models.evidence import CropEvidence
from models.policy import Policy

HALF_LIFE: Final = 1.0
"""Seconds after which a look weighs half."""
#: Affinity below which a look is at another face; see ``affinity``.
LEAST_AFFINITY: Final = 0.35
_FLOOR: Final = 1e-6  # of a probability, before its logarithm: no single frame vetoes all others
_TIE: Final = 1e-6


def with_nobody(probabilities: Floats) -> Floats:
    """(..., K) -> (..., K + 1): the last one is nobody's."""
    rest = np.clip(1 - probabilities.sum(axis=-1, keepdims=True), 0, 1)
    return np.concatenate([probabilities, rest], axis=-1)


def pooled(looks: Floats, weights: npt.NDArray[np.float64]) -> Floats:
    """The weighted mean of the log-probabilities of N looks (N, K), as probabilities (K,)."""
    logs = np.log(np.maximum(with_nobody(looks), _FLOOR))
    mean = weights @ logs / weights.sum()
    powers = np.exp(mean - mean.max())
    found: Floats = (powers / powers.sum())[:-1].astype(np.float32)
    return found


def pooled_evidence(evidence: Sequence[CropEvidence], moments: Sequence[float]) -> CropEvidence:
    """What the looks of at least one decision say together; saliency and mask are the newest one's.

    Args:
        evidence: oldest first, all about the same people and zones.
        moments: seconds, when the crops were captured.
    """
    newest = evidence[-1]
    weights = 0.5 ** ((max(moments) - np.asarray(moments, np.float64)) / HALF_LIFE)
    looked = np.stack([one.looked for one in evidence])
    views = np.zeros_like(newest.views)
    for number in np.flatnonzero(looked.any(axis=0)):
        of = looked[:, number]
        views[number] = pooled(np.stack([one.views[number] for one in evidence])[of], weights[of])
    return replace(
        newest,
        raw=pooled(np.stack([one.raw for one in evidence]), weights),
        defended=newest.defended if newest.zones else pooled(np.stack([one.defended for one in evidence]), weights),
        views=views,
        selected=np.asarray(looked.any(axis=0)),
    )


def says(evidence: CropEvidence) -> Floats:
    """What each view that was looked at gives, raw first: (1 + looks, K); without zones raw and masked."""
    if not evidence.zones:
        return np.stack([evidence.raw, evidence.defended])
    return np.concatenate([evidence.raw[None], evidence.views[evidence.looked]])


def is_contrary(evidence: CropEvidence, name: str, policy: Policy) -> bool:
    """Whether a view that was looked at speaks against this name; unsure is not contrary.

    It does where it gives somebody else more (a further zone's view: more by what ``further_lead`` allows), or nobody
    more and the name less than the policy asks of it.
    """
    if name not in evidence.labels:
        return True
    found, place = with_nobody(says(evidence)), evidence.labels.index(name)
    mine, nobody = found[:, place], found[:, -1]
    others = np.delete(found[:, :-1], place, axis=1).max(axis=1, initial=0.0)
    if evidence.zones:
        numbers = np.flatnonzero(evidence.looked)
        needed = np.array([policy.threshold, *(policy.least_of(int(number)) for number in numbers)])
        leads = np.array([1.0, *((policy.further_lead or 1.0) if number else 1.0 for number in numbers)])
    else:
        needed, leads = np.array([policy.threshold, policy.confirm]), np.ones(2)
    against = (mine + _TIE < leads * others) | ((mine + _TIE < nobody) & (mine < needed))
    return bool(against.any())


def weakest(evidence: CropEvidence, name: str) -> tuple[str, float]:
    """The view that gives this name least, and what it gives: of the zone views looked at; without zones the masked."""
    seen, number = evidence.seen, evidence.labels.index(name)
    if not seen.zones:
        return "saliency", float(seen.defended[number])
    least = int(seen.views[:, number].argmin())
    return seen.zones[least], float(seen.views[least, number])


def affinity(one: Floats, other: Floats) -> float:
    """How alike two looks are, 0 to 1: the cosine of two unit vectors that stand for a face.

    For want of embeddings these are the roots of the probabilities (Bhattacharyya 1943), which are of unit length.
    """
    return float(np.sqrt(np.maximum(with_nobody(one) * with_nobody(other), 0)).sum())


def moved(before: CropEvidence, now: CropEvidence) -> tuple[bool, bool]:
    """Whether the face as it is, and the face without what is worn in the first zone, is another than before.

    Both move less than this within a person; without zones there is only the first. Looks that are about other people
    or other zones cannot be compared: all begins anew.
    """
    if (before.labels, before.zones) != (now.labels, now.zones):
        return True, True
    raw = affinity(before.raw, now.raw) < LEAST_AFFINITY
    if not now.zones or not (before.looked[0] and now.looked[0]):
        return raw, raw
    return raw, affinity(before.views[0], now.views[0]) < LEAST_AFFINITY

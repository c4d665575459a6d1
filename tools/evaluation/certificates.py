"""What no pixel inside a hidden zone can change, counted: the two certificates, given the crop and over a jitter of it.

(a) *no impersonation*, of each zone: ``Known(X)`` needs the zone's view to confirm X. A face is certified when
its zone view does that for nobody but the true person (for nobody at all for a stranger): what is worn there can then
make it unknown or an alarm, never Known(somebody else).
(b) *identity*, of the first zone: a face is certified when that zone's view gives the true name ``zone_threshold``:
that name is told whatever the glasses show, as ``Known`` or as ``SuspectedAttack(likely=...)``.

Alarms are not certified, nor is anything that reaches beyond the zone: in a crop that is cut wrongly the zone lies
elsewhere on the face, and the certificate is of the pixels in it, not of the glasses, whose edges then stick out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.arrays import Bytes, Floats, Labels
from models.policy import Policy
from models.recogniser import Recogniser
from tools.common.report import Proportion
from tools.crafting.attacked_faces import NOBODY
from tools.evaluation.figures import Certificates, Jittered, ZoneCertificate
from tools.evaluation.measures import Flags, share


@dataclass(frozen=True)
class Jitter:
    """A similarity of the crop: shift in pixels of a crop of side 224, degrees, factor of the size."""

    x: float = 0.0
    y: float = 0.0
    degrees: float = 0.0
    scale: float = 1.0


def corners(*, shift: float = 0.0, degrees: float = 0.0, scale: float = 0.0) -> list[Jitter]:
    """The similarities that take each of shift (along both diagonals), turn and size to its extreme: sixteen, or
    those of them that differ where one of these is 0.
    """
    side = shift / math.sqrt(2)
    moves = [
        Jitter(x * side, y * side, turn * degrees, 1 + grow * scale)
        for x, y, turn, grow in itertools.product((-1, 1), repeat=4)
    ]
    return list(dict.fromkeys(moves))


#: What was measured of the alignment with its second look (docs/benchmarks/alignment.json).
_SHIFT, _DEGREES, _SCALE = 15.2, 5.5, 0.139  # plain glasses
JITTERS = {
    "plain glasses, 95th percentile": corners(shift=_SHIFT, degrees=_DEGREES, scale=_SCALE),
    "plain glasses, their shift alone": corners(shift=_SHIFT),
    "plain glasses, their turn alone": corners(degrees=_DEGREES),
    "plain glasses, their size alone": corners(scale=_SCALE),
    "A9, median": corners(shift=5.7, degrees=1.8, scale=0.073),
}


def jittered(crops: Bytes, jitter: Jitter) -> Bytes:
    """The crops (N, S, S, 3) as they would be cut with this error of the alignment; edges are repeated."""
    size = crops.shape[1]
    centre = size / 2 - 0.5
    matrix = cv2.getRotationMatrix2D((centre, centre), jitter.degrees, jitter.scale)
    matrix[:, 2] += np.array([jitter.x, jitter.y]) * size / 224
    moved = [
        cv2.warpAffine(crop, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for crop in crops
    ]
    return np.stack(moved) if moved else crops.copy()


def no_impersonation(policy: Policy, views: Floats, labels: Labels, number: int = 0) -> Flags:
    """(a) for what the view of zone ``number`` gives (N, K): it lets nobody but the true person be known; (N,) bool."""
    allowed = policy.allowed(number, views)
    known = labels != NOBODY
    allowed[np.flatnonzero(known), labels[known]] = False
    return np.asarray(~allowed.any(axis=1))


def identity(policy: Policy, views: Floats, labels: Labels) -> Flags:
    """(b) for what the first zone's view gives (N, K): the true person gets ``zone_threshold``, and leads; (N,) bool,
    False for strangers."""
    known = labels != NOBODY
    told = (views >= policy.zone_threshold) & policy.leads(0, views) & (views == views.max(axis=1, keepdims=True))
    return np.asarray(known & told[np.arange(len(views)), np.where(known, labels, 0)])


def certificates(
    recogniser: Recogniser,
    crops: Bytes,
    labels: Labels,
    jitters: Mapping[str, Sequence[Jitter]] = JITTERS,
    *,
    people: Sequence[str] | None = None,
    most: int = 100,
    seed: int = 0,
) -> Certificates:
    """Both certificates of the first zone on faces (N, S, S, 3); on ``most`` of them also at each jitter's worst.

    ``last_word``: nobody else gets more than ``zone_dissent``, so that the final name of an attacked face cannot be
    another's either. ``further``: the first certificate of every further zone. ``people`` (N,): whose faces they
    are, where intervals over people are wanted.
    """
    policy, zones = recogniser.policy, recogniser.zones
    drawn = np.sort(np.random.default_rng(seed).permutation(len(crops))[:most])
    whole = recogniser.view(crops)
    held = _held(recogniser, whole, labels)
    worst = {
        name: _at_worst(recogniser, crops[drawn], labels[drawn], moves, held.at(drawn))
        for name, moves in jitters.items()
    }
    whose = None if people is None else [people[place] for place in drawn]

    def stated(number: int) -> ZoneCertificate:
        return {
            "zone": zones[number],
            "confirm": policy.least_of(number),
            "no_impersonation": share(held.refused[:, number], people=people),
            "jitters": {
                name: _jittered(moves, share(worst[name].refused[:, number], people=whose))
                for name, moves in jitters.items()
            },
        }

    first = stated(0)
    known = bool((labels != NOBODY).any())
    for name, flags in worst.items():
        first["jitters"][name]["identity"] = share(flags.told) if known else None
    dissent = float(np.nextafter(np.float32(policy.zone_dissent), 1))
    return {
        "zone": first["zone"],
        "confirm": first["confirm"],
        "no_impersonation": first["no_impersonation"],
        "jitters": first["jitters"],
        "zone_threshold": policy.zone_threshold,
        "identity": share(held.told) if known else None,
        "last_word": share(no_impersonation(Policy(zone_confirm=dissent, floor=0), whole[:, 0], labels)),
        "further": [stated(number) for number in range(1, len(zones))],
    }


@dataclass(frozen=True)
class _Held:
    """What holds of N faces: ``refused`` (N, V) the first certificate by zone, ``told`` (N,) the second."""

    refused: Flags
    told: Flags

    def at(self, places: Labels) -> _Held:
        return _Held(self.refused[places], self.told[places])

    def __and__(self, other: _Held) -> _Held:
        return _Held(self.refused & other.refused, self.told & other.told)


def _held(recogniser: Recogniser, views: Floats, labels: Labels) -> _Held:
    """The certificates by views (N, V, K)."""
    policy = recogniser.policy
    zones = range(len(recogniser.zones))
    refused = [no_impersonation(policy, views[:, number], labels, number) for number in zones]
    return _Held(np.stack(refused, axis=1), identity(policy, views[:, 0], labels))


def _at_worst(recogniser: Recogniser, crops: Bytes, labels: Labels, moves: Sequence[Jitter], unmoved: _Held) -> _Held:
    """What holds of the crops as they are and moved in each of these ways."""
    found = unmoved
    for move in moves:
        found &= _held(recogniser, recogniser.view(jittered(crops, move)), labels)
    return found


def _jittered(moves: Sequence[Jitter], held: Proportion) -> Jittered:
    return {
        "shift of 224": round(max(math.hypot(m.x, m.y) for m in moves), 2),
        "degrees": max(abs(m.degrees) for m in moves),
        "scale": round(max(abs(m.scale - 1) for m in moves), 4),
        "no_impersonation": held,
    }

"""What five-second clips come to: verdicts over time, what pooling gains over voting, and how far a face's looks move.

All of it is counted from the looks that are kept (``tools.evaluation.clip_looks``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

import numpy as np
import numpy.typing as npt

from models.evidence import CropEvidence
from models.policy import Policy, decide
from realtime.verdicts.agreement import Entry, VerdictRules, conclude
from realtime.verdicts.pooling import LEAST_AFFINITY, affinity, pooled_evidence
from tools.common.report import Proportion, proportion
from tools.evaluation.clip_looks import ALARM, Looks
from tools.fault_drill.scenes import FPS

EVERY: Final = 3  # pictures between two of the decisions that pooling and voting count: about as live
BOUNDS: Final = (0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Clip:
    """A clip's looks, and whose they are: the place among the labels, None: a stranger's."""

    looks: Looks
    whose: int | None


class Mean(TypedDict):
    """Over ``n`` clips; None where there are none."""

    mean: float | None
    n: int


class PeopleTold(TypedDict):
    """Of clips of people who are known; the first four are shares of the clips."""

    right_at_the_end: Proportion
    right_at_any_time: Proportion
    wrong_at_any_time: Proportion
    alarm_at_any_time: Proportion
    share_of_time_right: Mean
    seconds_until_right: float | None


class StrangersTold(TypedDict):
    """Of clips of strangers; the first three are shares of the clips."""

    named_at_the_end: Proportion
    named_at_any_time: Proportion
    alarm_at_any_time: Proportion
    share_of_time_named: Mean


class Told(TypedDict):
    people: PeopleTold
    strangers: StrangersTold


class AddedUp(TypedDict):
    """Means over clips, a clip counting with the share of its windows."""

    people_right: Mean
    people_wrong: Mean
    strangers_named: Mean


class Moved(TypedDict):
    """What a bound on the likeness would do."""

    bound: float
    looks_of_one_person: Proportion
    clips_of_one_person: Proportion
    two_people_missed: Proportion


class Movement(TypedDict):
    """Quantiles of the likeness, of one person's looks and of two people's."""

    n_looks: int
    n_clips: int
    n_other: int
    one_person: Mapping[str, float | None]
    least_of_a_clip: Mapping[str, float | None]
    two_people: Mapping[str, float | None]
    moved: list[Moved]


def verdict_figures(clips: Sequence[Clip]) -> Told:
    """Shares of clips (people's, strangers') of which a viewer was told something, at its end and at any time."""
    known = [clip for clip in clips if clip.whose is not None]
    foreign = [clip for clip in clips if clip.whose is None]
    first = [_first_right(clip) for clip in known]
    seconds = [one / FPS for one in first if one is not None]
    return {
        "people": {
            "right_at_the_end": _share([clip.looks.said[-1] == clip.whose for clip in known]),
            "right_at_any_time": _share([one is not None for one in first]),
            "wrong_at_any_time": _share([bool(_wrong(clip).any()) for clip in known]),
            "alarm_at_any_time": _share([bool((clip.looks.said == ALARM).any()) for clip in known]),
            "share_of_time_right": _mean([float((clip.looks.said == clip.whose).mean()) for clip in known]),
            "seconds_until_right": None if not seconds else round(float(np.median(seconds)), 2),
        },
        "strangers": {
            "named_at_the_end": _share([clip.looks.said[-1] >= 0 for clip in foreign]),
            "named_at_any_time": _share([bool(_wrong(clip).any()) for clip in foreign]),
            "alarm_at_any_time": _share([bool((clip.looks.said == ALARM).any()) for clip in foreign]),
            "share_of_time_named": _mean([float(_wrong(clip).mean()) for clip in foreign]),
        },
    }


def _first_right(clip: Clip) -> int | None:
    right = np.flatnonzero(clip.looks.said == clip.whose)
    return int(right[0]) if len(right) else None


def _wrong(clip: Clip) -> npt.NDArray[np.bool_]:
    named = clip.looks.said >= 0
    return named if clip.whose is None else named & (clip.looks.said != clip.whose)


def ways_of_adding_up(
    clips: Sequence[Clip], labels: tuple[str, ...], zones: tuple[str, ...], policy: Policy, rules: VerdictRules
) -> dict[str, AddedUp]:
    """The same windows of decisions added up in three ways: the newest alone, by votes, and pooled as the verdict is.

    Each way's shares are over clips, a clip counting with the share of its windows.
    """
    told: dict[str, list[tuple[float, float]]] = {"newest alone": [], "votes": [], "pooled": []}
    strangers: dict[str, list[float]] = {way: [] for way in told}
    for clip in clips:
        names: dict[str, list[int | None]] = {way: [] for way in told}
        for window in _windows(clip.looks, labels, zones, policy, rules):
            identities = [entry.decision.identity for entry in window]
            pooled = conclude(window, -math.inf, rules, policy)
            found = (identities[-1], _voted(identities, rules), pooled.name if pooled.state == "known" else None)
            for way, name in zip(names, found, strict=True):
                names[way].append(None if name is None else labels.index(name))
        for way, said in names.items():
            if not said:
                continue
            right = float(np.mean([one is not None and one == clip.whose for one in said]))
            wrong = float(np.mean([one is not None and one != clip.whose for one in said]))
            if clip.whose is None:
                strangers[way].append(wrong)
            else:
                told[way].append((right, wrong))
    return {
        way: {
            "people_right": _mean([right for right, _ in told[way]]),
            "people_wrong": _mean([wrong for _, wrong in told[way]]),
            "strangers_named": _mean(strangers[way]),
        }
        for way in told
    }


def _windows(
    looks: Looks, labels: tuple[str, ...], zones: tuple[str, ...], policy: Policy, rules: VerdictRules
) -> Iterator[list[Entry]]:
    chosen = looks.evidence(labels, zones)[::EVERY]
    moments = looks.moments[::EVERY].tolist()
    entries = [Entry(decide(one, policy), one, at, at) for one, at in zip(chosen, moments, strict=True)]
    for end in range(rules.window, len(entries) + 1):
        yield entries[end - rules.window : end]


def _voted(identities: Sequence[str | None], rules: VerdictRules) -> str | None:
    """The name that enough of the decisions gave, the newest among them."""
    (name, votes) = Counter(identities).most_common(1)[0]
    return name if votes >= rules.agreement and identities[-1] == name else None


def movements(
    clips: Sequence[Clip], labels: tuple[str, ...], zones: tuple[str, ...], rules: VerdictRules, *, seed: int = 0
) -> dict[str, Movement | float]:
    """How alike a look is to what the looks before it say together (``pooling.affinity``), of the face as it is and
    without the first zone: of one person a moment later, and of two people who are known by other names.

    ``moved``: by the bound, the share of a person's looks that would be taken for another face, the share of their
    clips in which one is, and the share of other people's looks that would not be.
    """
    same: dict[str, list[npt.NDArray[np.float64]]] = {
        kind: [] for kind in ("raw", "first_zone") if kind == "raw" or zones
    }
    heads: list[tuple[Clip, CropEvidence, CropEvidence]] = []
    for clip in clips:
        evidence, moments = clip.looks.evidence(labels, zones)[::EVERY], clip.looks.moments[::EVERY].tolist()
        if len(evidence) <= rules.window:
            continue
        pairs = [
            (pooled_evidence(evidence[end - rules.window : end], moments[end - rules.window : end]), evidence[end])
            for end in range(rules.window, len(evidence))
        ]
        for kind, values in same.items():
            values.append(np.array([_alike(kind, before, now) for before, now in pairs]))
        heads.append((clip, pairs[0][0], evidence[0]))
    order = np.random.default_rng(seed).permutation(len(heads))
    others = [
        (heads[a][1], heads[b][2])
        for a, b in zip(order, np.roll(order, 1), strict=True)
        if a != b and not (heads[a][0].whose == heads[b][0].whose and heads[a][0].whose is not None)
    ]
    found = {
        kind: _movement(values, np.array([_alike(kind, before, now) for before, now in others]))
        for kind, values in same.items()
    }
    return {**found, "bound": LEAST_AFFINITY}


def _alike(kind: str, before: CropEvidence, now: CropEvidence) -> float:
    return affinity(before.raw, now.raw) if kind == "raw" else affinity(before.views[0], now.views[0])


def _movement(same: Sequence[npt.NDArray[np.float64]], other: npt.NDArray[np.float64]) -> Movement:
    looks = np.concatenate(same) if same else np.zeros(0)
    least = np.array([values.min() for values in same])
    return {
        "n_looks": len(looks),
        "n_clips": len(least),
        "n_other": len(other),
        "one_person": _quantiles(looks, (0.001, 0.01, 0.05, 0.5)),
        "least_of_a_clip": _quantiles(least, (0.01, 0.05, 0.5)),
        "two_people": _quantiles(other, (0.5, 0.95, 0.99)),
        "moved": [
            {
                "bound": bound,
                "looks_of_one_person": _share((looks < bound).tolist()),
                "clips_of_one_person": _share((least < bound).tolist()),
                "two_people_missed": _share((other >= bound).tolist()),
            }
            for bound in BOUNDS
        ],
    }


def _quantiles(values: npt.NDArray[np.float64], shares: Sequence[float]) -> Mapping[str, float | None]:
    return {f"{share:g}": round(float(np.quantile(values, share)), 4) if len(values) else None for share in shares}


def _share(flags: Sequence[bool | np.bool_]) -> Proportion:
    return proportion(int(np.sum(np.asarray(flags, np.bool_))), len(flags))


def _mean(values: Sequence[float]) -> Mean:
    return {"mean": round(float(np.mean(values)), 4) if values else None, "n": len(values)}

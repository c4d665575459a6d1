"""What one engine decides beside another on the same faces, and whether that costs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np

from models.arrays import Bools, Bytes, Floats, Labels
from models.policy import Decision, decide, final_probabilities
from models.recogniser import Recogniser
from tools.common.bars import Tick
from tools.common.report import Proportion, proportion
from tools.crafting.attacked_faces import NOBODY

#: How many known faces fewer, attacked ones more and strangers more are accepted.
FEWER_KNOWN, MORE_TARGETS, MORE_STRANGERS = 1, 0, 1
_AT_ONCE = 8


@dataclass(frozen=True)
class Faces:
    """N crops (N, S, S, 3), whom they show and whom they attack (``NOBODY``: a stranger, or no attack)."""

    crops: Bytes
    labels: Labels
    targets: Labels


@dataclass(frozen=True)
class Answers:
    """What one engine says of N crops."""

    raw: Floats  # (N, K)
    defended: Floats  # (N, K), the policy's final probabilities
    masks: Bools  # (N, S, S)
    explained: Bools  # (N,): whose saliency was looked at
    decisions: tuple[Decision, ...]
    views: Floats  # (N, V, K)


def answers(recogniser: Recogniser, crops: Bytes, tick: Tick | None = None, what: str = "") -> Answers:
    """The decisions on (N, S, S, 3) crops, as they are taken live."""
    each = []
    for start in range(0, len(crops), _AT_ONCE):
        each += list(recogniser.defend(crops[start : start + _AT_ONCE], quick=True))
        if tick is not None:
            tick(what, min(start + _AT_ONCE, len(crops)), len(crops))
    return Answers(
        raw=np.stack([one.raw for one in each]),
        views=np.stack([one.views for one in each]),
        defended=np.stack([final_probabilities(one, recogniser.policy) for one in each]),
        masks=np.stack([one.mask for one in each]),
        explained=np.array([one.explained for one in each]),
        decisions=tuple(decide(one.seen, recogniser.policy) for one in each),
    )


class Names(TypedDict):
    """Whom one engine names, beside the reference; ``cost_points`` are percentage points of accuracy."""

    accuracy: Proportion
    reference: Proportion
    cost_points: float
    lost: int
    gained: int


#: How many faces are ``known`` as somebody, in all, ``right``ly, and as whom they attack (``target``).
Counted = dict[str, int]


class Compared(TypedDict):
    """One engine beside the reference on the same n crops."""

    n: int
    undefended: NotRequired[Names]
    defended: NotRequired[Names]
    counts: Counted
    reference_counts: Counted
    first_names_changed: int
    mask_iou: float | None
    same_decisions: Proportion


def counted(decisions: Sequence[Decision], faces: Faces, names: Sequence[str]) -> Counted:
    """What the decisions come to."""
    known = [d.identity if d.state == "known" else None for d in decisions]

    def among(labels: Labels) -> int:
        wanted = [None if label == NOBODY else names[label] for label in labels]
        return sum(k is not None and k == w for k, w in zip(known, wanted, strict=True))

    return {
        "known": sum(name is not None for name in known),
        "right": among(faces.labels),
        "target": among(faces.targets),
    }


def compared(found: Answers, wanted: Answers, faces: Faces, names: Sequence[str]) -> Compared:
    """One engine against the reference on the same crops; accuracies only where the faces are of known people."""

    def accuracies(mine: Floats, reference: Floats) -> Names:
        right, before = mine.argmax(axis=1) == faces.labels, reference.argmax(axis=1) == faces.labels
        return {
            "accuracy": proportion(int(right.sum()), len(right)),
            "reference": proportion(int(before.sum()), len(right)),
            "cost_points": round(100 * float(before.mean() - right.mean()), 2),
            "lost": int((before & ~right).sum()),
            "gained": int((right & ~before).sum()),
        }

    same = sum(_said(mine) == _said(other) for mine, other in zip(found.decisions, wanted.decisions, strict=True))
    both = found.explained & wanted.explained
    result: Compared = {
        "n": len(faces.labels),
        "counts": counted(found.decisions, faces, names),
        "reference_counts": counted(wanted.decisions, faces, names),
        "first_names_changed": int((found.raw.argmax(axis=1) != wanted.raw.argmax(axis=1)).sum()),
        "mask_iou": _overlap(found.masks[both], wanted.masks[both]),
        "same_decisions": proportion(same, len(faces.labels)),
    }
    if (faces.labels != NOBODY).all():
        result["undefended"] = accuracies(found.raw, wanted.raw)
        result["defended"] = accuracies(found.defended, wanted.defended)
    return result


def accepted(found: Mapping[str, Compared]) -> bool:
    """Whether what ``compared`` found on ``clean``, ``attacked`` and ``strangers``, all three, costs nothing."""
    if not {"clean", "attacked", "strangers"} <= set(found):
        return False

    def more(kind: str, what: str) -> int:
        return found[kind]["counts"][what] - found[kind]["reference_counts"][what]

    return (
        more("clean", "right") >= -FEWER_KNOWN
        and more("attacked", "target") <= MORE_TARGETS
        and more("strangers", "known") <= MORE_STRANGERS
    )


def _said(decision: Decision) -> tuple[str, str | None, str | None]:
    return decision.state, decision.identity, decision.claimed


def _overlap(found: Bools, wanted: Bools) -> float | None:
    """The mean intersection over union of masks (two empty ones agree); None without any."""
    if len(found) == 0:
        return None
    unions, common = (found | wanted).sum(axis=(1, 2)), (found & wanted).sum(axis=(1, 2))
    return round(float(np.where(unions == 0, 1.0, common / np.maximum(unions, 1)).mean()), 4)

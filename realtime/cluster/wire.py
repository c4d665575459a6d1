"""Evidence as it travels: what a quick decision left out is not sent, so an answer has a few kilobytes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.arrays import Bools, Bytes, Floats
from models.evidence import CropEvidence, Evidence


@dataclass(frozen=True)
class Explained:
    """What was looked at for one crop: saliency (S, S), mask (S, S), the crop under it (S, S, 3)."""

    saliency: Floats
    mask: Bools
    masked_crop: Bytes


@dataclass(frozen=True)
class Answer:
    """``models.evidence.Evidence`` of N crops, without the crops; ``explained`` by number, the others are as they were.

    ``people``: names the gallery by which it was answered, "" where there is none.
    """

    labels: tuple[str, ...]
    raw: Floats  # (N, K)
    defended: Floats  # (N, K)
    views: Floats  # (N, V, K)
    zones: tuple[str, ...]
    selected: Bools | None  # (N, V)
    people: str = ""
    explained: dict[int, Explained] = field(default_factory=dict)


def packed(evidence: Evidence, first: int, count: int, people: str = "") -> Answer:
    """The answer about ``count`` crops from number ``first`` on."""
    part = slice(first, first + count)
    explained = {
        number - first: Explained(one.saliency, one.mask, one.masked_crop)
        for number, one in ((number, evidence[number]) for number in range(first, first + count))
        if one.explained
    }
    return Answer(
        evidence.labels,
        evidence.raw[part],
        evidence.defended[part],
        evidence.views[part],
        evidence.zones,
        None if evidence.selected is None else evidence.selected[part],
        people,
        explained,
    )


def unpacked(answer: Answer, crops: Bytes) -> Evidence:
    """The evidence about ``crops`` (N, S, S, 3). Raises ``ValueError`` where it is about another number of them."""
    if len(answer.raw) != len(crops):
        raise ValueError(f"an answer about {len(answer.raw)} crops came where {len(crops)} were asked about")
    saliency = np.zeros(crops.shape[:3], np.float32)
    mask, masked_crops = saliency > 0, crops.copy()
    for number, one in answer.explained.items():
        saliency[number], mask[number], masked_crops[number] = one.saliency, one.mask, one.masked_crop
    return Evidence(
        answer.labels,
        answer.raw,
        saliency,
        mask,
        masked_crops,
        answer.defended,
        answer.views,
        answer.zones,
        answer.selected,
    )


def bare(found: CropEvidence) -> CropEvidence:
    """Without saliency, mask and masked crop, which are looked at where it is sent."""
    empty = np.zeros((0, 0), np.float32)
    return CropEvidence(
        found.labels,
        found.raw,
        empty,
        empty > 0,
        np.zeros((0, 0, 3), np.uint8),
        found.defended,
        found.views,
        found.zones,
        found.selected,
    )

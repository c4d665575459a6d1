"""Who a face is: cosine to everybody's mean, with a cohort of other people in the softmax's denominator.

Without the cohort the nearest of few people gets all of the probability, and a stranger a name (measured on a
trunk's pilot, people rightly named while 1 % of strangers are named: 77 % without, 90 % with).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats
from models.gallery.gallery import Gallery


@dataclass(frozen=True)
class Scale:
    """From cosines to probabilities.

    Attributes:
        temperature: the cosines are divided by it.
        crowd: the more people, the nearer the nearest of them is to a stranger. So nobody's share is multiplied by
            (people / ``crowd_of``) ** ``crowd``: one threshold then names about as many strangers in every gallery.
        crowd_of: how many people there were when the thresholds were found.

    Raises:
        ValueError: the temperature is not above 0, or ``crowd_of`` is not 1 or more.
    """

    temperature: float
    crowd: float = 0.0
    crowd_of: int = 1

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature {self.temperature}: must be above 0")
        if self.crowd_of < 1:
            raise ValueError(f"crowd_of {self.crowd_of}: must be 1 or more")

    def nobody(self, people: int) -> float:
        """What is added to the logits of the cohort beside a gallery of so many people."""
        return self.crowd * math.log(people / self.crowd_of) if people else 0.0


class Matcher:
    """Compares embeddings with a gallery. Immutable: threads may share it.

    Args:
        gallery: K people with V hidden zones; may be empty.
        cohort: (1 + V, C, D) unit length, other people in the same views; C may be 0.
        scale: how cosines become probabilities.

    Raises:
        ValueError: the cohort is of other views or lengths.
    """

    def __init__(self, gallery: Gallery, cohort: Floats, scale: Scale) -> None:
        views = 1 + len(gallery.views)
        if cohort.ndim != 3 or len(cohort) != views:
            raise ValueError(f"a cohort of shape {cohort.shape}, {views} views")
        if gallery.people and gallery.people[0].means.shape[1] != cohort.shape[2]:
            raise ValueError(f"embeddings of {gallery.people[0].means.shape[1]} numbers, a cohort of {cohort.shape[2]}")
        self.labels = gallery.labels
        self.temperature = scale.temperature
        self._nobody = np.float32(scale.nobody(len(gallery)))
        size = cohort.shape[2]
        people = [gallery.rows(view).reshape(-1, size) for view in range(views)]
        self._rows = [
            np.ascontiguousarray(np.concatenate([rows, others]) / np.float32(scale.temperature), np.float32)
            for rows, others in zip(people, cohort, strict=True)
        ]

    def logits(self, embeddings: Floats, view: int = 0) -> Floats:
        """(N, D) unit length -> (N, K + C): of the people first and then of the cohort."""
        found: Floats = embeddings.astype(np.float32, copy=False) @ self._rows[view].T
        found[:, len(self.labels) :] += self._nobody
        return found

    def probabilities(self, embeddings: Floats, view: int = 0) -> Floats:
        """(N, D) unit length -> (N, K) float32; what a row lacks to 1 is the probability of nobody here."""
        logits = self.logits(embeddings, view)
        if logits.shape[1] == 0:
            return logits
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits, out=logits)
        total = powers.sum(axis=1, keepdims=True, dtype=np.float64)
        found: Floats = (powers[:, : len(self.labels)] / total).astype(np.float32)
        return found

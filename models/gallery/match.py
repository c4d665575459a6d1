"""Who a face is: cosine to everybody's mean, with a cohort of other people in the softmax's denominator.

Without the cohort the nearest of few people gets all of the probability, and a stranger a name (measured on a
trunk's pilot, people rightly named while 1 % of strangers are named: 77 % without, 90 % with).
"""

from __future__ import annotations

import numpy as np

from models.arrays import Floats
from models.gallery.gallery import Gallery


class Matcher:
    """Compares embeddings with a gallery. Immutable: threads may share it.

    Args:
        gallery: K people with V hidden zones; may be empty.
        cohort: (1 + V, C, D) unit length, other people in the same views; C may be 0.
        temperature: the cosines are divided by it.

    Raises:
        ValueError: the cohort is of other views or lengths, or the temperature is not above 0.
    """

    def __init__(self, gallery: Gallery, cohort: Floats, temperature: float) -> None:
        views = 1 + len(gallery.views)
        if cohort.ndim != 3 or len(cohort) != views:
            raise ValueError(f"a cohort of shape {cohort.shape}, {views} views")
        if not temperature > 0:
            raise ValueError(f"temperature {temperature}: must be above 0")
        if gallery.people and gallery.people[0].means.shape[1] != cohort.shape[2]:
            raise ValueError(f"embeddings of {gallery.people[0].means.shape[1]} numbers, a cohort of {cohort.shape[2]}")
        self.labels = gallery.labels
        self.temperature = temperature
        size = cohort.shape[2]
        people = [gallery.rows(view).reshape(-1, size) for view in range(views)]
        self._rows = [
            np.ascontiguousarray(np.concatenate([rows, others]) / np.float32(temperature), np.float32)
            for rows, others in zip(people, cohort, strict=True)
        ]

    def logits(self, embeddings: Floats, view: int = 0) -> Floats:
        """(N, D) unit length -> (N, K + C): cosine over temperature, the people first and then the cohort."""
        return embeddings.astype(np.float32, copy=False) @ self._rows[view].T

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

"""What the recogniser found out about a batch of face crops: the currency between recogniser and policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from models.arrays import Bools, Bytes, Floats

#: Whose saliency a quick decision looks at: of the crops that raise an alarm; of all, in one pass with the
#: classification, which is faster where each of them raises one; or of none, where it was looked at just now.
Explaining = Literal["alarms", "all", "none"]


@dataclass(frozen=True)
class CropEvidence:
    """The evidence of one crop: ``Evidence`` without its first axis."""

    labels: tuple[str, ...]
    raw: Floats  # (K,)
    saliency: Floats  # (S, S) in [0, 1]
    mask: Bools  # (S, S)
    masked_crop: Bytes  # (S, S, 3) RGB
    defended: Floats  # (K,)
    views: Floats  # (V, K)
    zones: tuple[str, ...]
    selected: Bools | None = None  # (V,), the views that were looked at; None: all

    @property
    def looked(self) -> Bools:
        """(V,): which views were looked at; the others say nothing and are all zero."""
        return np.ones(len(self.zones), np.bool_) if self.selected is None else self.selected

    @property
    def seen(self) -> CropEvidence:
        """The same with the views only that were looked at: what can be decided on."""
        if self.looked.all():
            return self
        zones = tuple(zone for zone, looked in zip(self.zones, self.looked, strict=True) if looked)
        return replace(self, views=self.views[self.looked], zones=zones, selected=None)

    @property
    def explained(self) -> bool:
        """Whether the saliency was looked at; a quick decision without an alarm leaves it out, all zero."""
        return bool(self.saliency.any())

    def explained_by(self, earlier: CropEvidence) -> CropEvidence:
        """The same with the saliency of an earlier look at the same face, and what that one said of it."""
        return replace(
            self,
            saliency=earlier.saliency,
            mask=earlier.mask,
            masked_crop=earlier.masked_crop,
            defended=earlier.defended,
        )


@dataclass(frozen=True)
class Evidence:
    """N crops of side S, K people, V zone views.

    ``raw`` are the probabilities of the crops as they are, ``defended`` those of ``masked_crops``,
    ``views`` those of the crops with each of ``zones`` hidden (V = 0 where the bundle has none); all zero where
    ``selected`` (N, V) says that nobody looked (None: every view was).
    """

    labels: tuple[str, ...]
    raw: Floats  # (N, K)
    saliency: Floats  # (N, S, S) in [0, 1]
    mask: Bools  # (N, S, S)
    masked_crops: Bytes  # (N, S, S, 3) RGB
    defended: Floats  # (N, K)
    views: Floats  # (N, V, K)
    zones: tuple[str, ...] = ()
    selected: Bools | None = None  # (N, V)

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, index: int) -> CropEvidence:
        return CropEvidence(
            labels=self.labels,
            raw=self.raw[index],
            saliency=self.saliency[index],
            mask=self.mask[index],
            masked_crop=self.masked_crops[index],
            defended=self.defended[index],
            views=self.views[index],
            zones=self.zones,
            selected=None if self.selected is None else self.selected[index],
        )

    def __iter__(self) -> Iterator[CropEvidence]:
        return (self[index] for index in range(len(self)))

"""What the recogniser found out about a batch of face crops: the currency between recogniser and policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.arrays import Bools, Bytes, Floats


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

    @property
    def explained(self) -> bool:
        """Whether the saliency was looked at; a quick decision without an alarm leaves it out, all zero."""
        return bool(self.saliency.any())


@dataclass(frozen=True)
class Evidence:
    """N crops of side S, K people, V zone views.

    ``raw`` are the probabilities of the crops as they are, ``defended`` those of ``masked_crops``,
    ``views`` those of the crops with each of ``zones`` hidden (V = 0 where the bundle has none).
    """

    labels: tuple[str, ...]
    raw: Floats  # (N, K)
    saliency: Floats  # (N, S, S) in [0, 1]
    mask: Bools  # (N, S, S)
    masked_crops: Bytes  # (N, S, S, 3) RGB
    defended: Floats  # (N, K)
    views: Floats  # (N, V, K)
    zones: tuple[str, ...] = ()

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
        )

    def __iter__(self) -> Iterator[CropEvidence]:
        return (self[index] for index in range(len(self)))

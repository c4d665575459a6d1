"""The parameters that are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from models.saliency_mask import MaskParameters

PERCENTILES = (99.0, 99.5, 99.9, 100.0)


@dataclass(frozen=True)
class Axes:
    """The values of each parameter; iterations and min_area are in pixels of the crop."""

    thresholds: tuple[float, ...]
    iterations: tuple[int, ...]
    min_areas: tuple[int, ...]
    percentiles: tuple[float, ...] = PERCENTILES

    def __len__(self) -> int:
        return len(self.thresholds) * len(self.iterations) * len(self.min_areas) * len(self.percentiles)

    def edges(self, parameters: MaskParameters) -> list[str]:
        """The axes on whose first or last value the parameters lie (a wider grid might do better there);
        a percentile of 100 and a smallest area of 1 are no edges, since there is nothing beyond."""
        found = []
        if parameters.threshold in (min(self.thresholds), max(self.thresholds)):
            found.append(f"mu {parameters.threshold:g}")
        if parameters.iterations in (min(self.iterations), max(self.iterations)):
            found.append(f"n {parameters.iterations}")
        if parameters.min_area in (min(self.min_areas), max(self.min_areas)) and parameters.min_area > 1:
            found.append(f"phi {parameters.min_area}")
        if parameters.percentile == min(self.percentiles):
            found.append(f"percentile {parameters.percentile:g}")
        return found

    def combinations(self) -> list[MaskParameters]:
        """Every combination, mean fill."""
        return [
            MaskParameters(threshold=mu, iterations=n, min_area=phi, percentile=percentile)
            for percentile, mu, n, phi in product(self.percentiles, self.thresholds, self.iterations, self.min_areas)
        ]


def coarse_axes(size: int) -> Axes:
    """560 combinations around and far from the published values, scaled to crops of side ``size``.

    Thresholds reach low because the percentile is an axis too: under the maximum, 0.2 keeps about what the
    published 0.98 keeps under the 99th percentile (measured on 5 faces at 112: 0.4 to 7 % and 2 to 3 %).
    """
    share = size / 224
    return Axes(
        thresholds=(0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.98),
        iterations=_scaled((2, 4, 8, 12, 16), share),
        min_areas=_scaled((20, 80, 240, 600), share**2),
    )


def with_others(combinations: Sequence[MaskParameters], others: Sequence[MaskParameters]) -> list[MaskParameters]:
    """``combinations`` and those of ``others`` that are not among them."""
    return list(dict.fromkeys([*combinations, *others]))


def inpainted(combinations: Sequence[MaskParameters]) -> list[MaskParameters]:
    return [replace(one, fill="inpaint") for one in combinations]


def in_words(parameters: MaskParameters) -> str:
    """``mu 0.98, n 4, phi 20, p 99, mean``."""
    return (
        f"mu {parameters.threshold:g}, n {parameters.iterations}, phi {parameters.min_area},"
        f" p {parameters.percentile:g}, {parameters.fill}"
    )


def _scaled(values: Sequence[int], share: float) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(value * share)) for value in values}))

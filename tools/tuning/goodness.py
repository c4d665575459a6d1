"""The goodness score of Hayes 2018, and how sure one can be of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from models.arrays import Floats


@dataclass(frozen=True)
class Terms:
    """Mean confidences (AC) after the defence.

    ``clean_real``: of the true person on clean faces; ``adversarial_real``: of the true person on attacked
    faces; ``adversarial_target``: of the attack's target there.
    """

    clean_real: float
    adversarial_real: float
    adversarial_target: float

    @property
    def goodness(self) -> float:
        """(AC(clean, real) + AC(adversarial, real) + 1 - AC(adversarial, target)) / 3, in [0, 1]."""
        return (self.clean_real + self.adversarial_real + 1 - self.adversarial_target) / 3

    def rounded(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in (*vars(self).items(), ("goodness", self.goodness))}


class Interval(TypedDict):
    """``value`` and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcomes:
    """C combinations on N faces, all after the defence.

    ``real`` and ``target`` are confidences of the true person and of the target (NaN where there is none),
    ``best`` the label named, ``best_confidence`` its confidence, ``masked`` the share of the crop hidden.
    """

    real: Floats  # (C, N)
    target: Floats  # (C, N)
    best: npt.NDArray[np.int64]  # (C, N)
    best_confidence: Floats  # (C, N)
    masked: Floats  # (C, N)

    def of(self, combinations: Any = slice(None), faces: Any = slice(None)) -> Outcomes:
        """Some combinations on some faces."""
        return Outcomes(**{name: values[combinations][:, faces] for name, values in vars(self).items()})


def terms_of(clean: Outcomes, adversarial: Outcomes) -> list[Terms]:
    """The three terms of each combination."""
    columns = zip(
        clean.real.mean(axis=1, dtype=np.float64),
        adversarial.real.mean(axis=1, dtype=np.float64),
        adversarial.target.mean(axis=1, dtype=np.float64),
        strict=True,
    )
    return [Terms(float(a), float(b), float(c)) for a, b, c in columns]


def goodness_interval(clean: Outcomes, adversarial: Outcomes, one: int, other: int | None = None) -> Interval:
    """95 % interval of one combination's goodness, or of its lead over another's, and its ``value``."""
    on_clean, on_attacked = _parts(clean, adversarial, one)
    if other is None:
        return bootstrap(on_clean, on_attacked)
    less = _parts(clean, adversarial, other)
    return bootstrap(on_clean - less[0], on_attacked - less[1], constant=0)


def bootstrap(
    on_clean: npt.NDArray[np.floating],
    on_attacked: npt.NDArray[np.floating],
    *,
    constant: float = 1,
    seed: int = 0,
    draws: int = 2000,
) -> Interval:
    """``value`` of (mean + mean + constant) / 3 and its 95 % percentile interval, the faces drawn anew.

    Args:
        on_clean: (N,) confidences in the right name. on_attacked: (M,) the same less those in the target.
        constant: 0 for differences of two goodnesses.
    """
    random = np.random.default_rng(seed)

    def score(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray((a.mean(axis=-1, dtype=np.float64) + b.mean(axis=-1, dtype=np.float64) + constant) / 3)

    drawn = score(
        on_clean[random.integers(len(on_clean), size=(draws, len(on_clean)))],
        on_attacked[random.integers(len(on_attacked), size=(draws, len(on_attacked)))],
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = float(score(on_clean, on_attacked))
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _parts(
    clean: Outcomes, adversarial: Outcomes, index: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    attacked = adversarial.real[index].astype(np.float64) - adversarial.target[index]
    return clean.real[index].astype(np.float64), attacked

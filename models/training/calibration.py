"""Makes probabilities mean what they say: one temperature for the logits (Guo et al. 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from torch import nn

from models.arrays import Floats, Labels

_LOG_LIMIT = math.log(20.0)


@dataclass(frozen=True)
class Calibration:
    """What ``calibrate`` found; errors are expected calibration errors in [0, 1], ``n`` the crops used."""

    temperature: float
    error_before: float
    error_after: float
    n: int


def expected_calibration_error(probabilities: npt.NDArray[np.floating], labels: Labels, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence, weighted by their size."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = 0.0
    for index in np.unique(place):
        inside = place == index
        gap += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(gap)


def calibrate(logits: Floats, labels: Labels) -> Calibration:
    """The temperature with the lowest cross-entropy on (N, K) logits that were not trained on.

    Few crops without an error would want an infinitely cold softmax. So each counts as wrong by 1 / (N + 2), shared by
    the other people, as in Platt 1999. The search is limited to 1/20 to 20.

    Raises:
        ValueError: there are no logits.
    """
    if len(logits) == 0:
        raise ValueError("calibration needs at least one crop that was not trained on")

    n, k = logits.shape
    wrong = 1 / (n + 2) if k > 1 else 0.0
    wanted = np.full((n, k), wrong / max(1, k - 1))
    wanted[np.arange(n), labels] = 1 - wrong

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / math.exp(log_temperature)
        return float((logsumexp(scaled, axis=1) - (wanted * scaled).sum(axis=1)).mean())

    found = minimize_scalar(cross_entropy, bounds=(-_LOG_LIMIT, _LOG_LIMIT), method="bounded")
    temperature = math.exp(float(found.x))
    return Calibration(
        temperature=temperature,
        error_before=expected_calibration_error(softmax(logits, axis=1), labels),
        error_after=expected_calibration_error(softmax(logits / temperature, axis=1), labels),
        n=len(labels),
    )


def fitted_temperature(cosines: Floats, labels: Labels, people: int) -> float:
    """The temperature with the lowest cross-entropy of cosines (N, K + C) with K people and a cohort of C others.

    ``labels`` (N,) are people's numbers, or negative for strangers, for whom the whole cohort together is right. Known
    faces and strangers weigh the same in all, however many there are.

    Raises:
        ValueError: there are no cosines.
    """
    if len(cosines) == 0:
        raise ValueError("a temperature needs at least one face that the gallery was not made of")
    known = labels >= 0
    groups = [group for group in (known, ~known) if group.any()]
    rows, right = np.arange(len(labels)), np.where(known, labels, 0)

    def cross_entropy(log_temperature: float) -> float:
        scaled = cosines.astype(np.float64) / math.exp(log_temperature)
        given = np.where(known, scaled[rows, right], logsumexp(scaled[:, people:], axis=1))
        loss = logsumexp(scaled, axis=1) - given
        return float(np.mean([loss[group].mean() for group in groups]))

    if cosines.shape[1] == people and not known.all():
        raise ValueError("strangers need a cohort")
    found = minimize_scalar(cross_entropy, bounds=(math.log(0.005), 0.0), method="bounded")
    return math.exp(float(found.x))


def fitted_crowd(
    strangers: Floats,
    others: Floats,
    temperature: float,
    *,
    sizes: tuple[int, ...] = (5, 15, 30, 75, 150, 300),
    like: int = 30,
    share: float = 0.05,
    draws: int = 10,
    seed: int = 0,
) -> float:
    """The ``crowd`` of ``models.gallery.match.Scale`` with which galleries of all ``sizes`` name strangers alike often.

    Args:
        strangers: (M, D) unit length, people who are in no gallery.
        others: (C, D) people of whom some are enrolled, ``draws`` times, and the rest are the cohort.
        like: of this size is the gallery in which ``share`` of the strangers are named.
    """
    random = np.random.default_rng(seed)
    scores = (strangers.astype(np.float64) @ others.T.astype(np.float64)) / temperature  # (M, C)
    found: dict[int, list[tuple[npt.NDArray[np.float64], ...]]] = {}
    for size in {like, *(one for one in sizes if one <= len(others) // 2)}:
        found[size] = [_split_scores(scores, random.permutation(len(others)), size) for _ in range(draws)]

    def shares(size: int, crowd: float) -> npt.NDArray[np.float64]:
        """(draws, M) the log probability of the likeliest name."""
        weight = crowd * math.log(size / like)
        return np.stack([best - np.logaddexp(people, nobody + weight) for best, people, nobody in found[size]])

    threshold = float(np.quantile(shares(like, 0.0), 1 - share))

    def unevenness(crowd: float) -> float:
        rates = [float((shares(size, crowd) >= threshold).mean()) for size in found]
        return sum(math.log((rate + 1e-3) / share) ** 2 for rate in rates)

    return float(minimize_scalar(unevenness, bounds=(0.0, 2.0), method="bounded").x)


def _split_scores(
    scores: npt.NDArray[np.float64], order: npt.NDArray[np.int64], size: int
) -> tuple[npt.NDArray[np.float64], ...]:
    """The best of the people, the logarithm of the sum of their powers, and that of the others as if all were."""
    people, others = scores[:, order[:size]], scores[:, order[size:]]
    nobody = logsumexp(others, axis=1) + math.log(len(order) / (len(order) - size))
    return people.max(axis=1), logsumexp(people, axis=1), nobody


@torch.no_grad()
def fold_temperature(last: nn.Linear, temperature: float) -> None:
    """Divide the logits by ``temperature`` for good, in the last layer's weights."""
    last.weight.div_(temperature)
    last.bias.div_(temperature)

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from models.training.calibration import calibrate, expected_calibration_error, fitted_crowd, fold_temperature


def test_temperature_undoes_a_known_overconfidence() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 1.5, (4000, 5)).astype(np.float32)
    labels = np.array([random.choice(5, p=p) for p in softmax(honest, axis=1)])
    found = calibrate(3 * honest, labels)
    assert found.temperature == pytest.approx(3.0, rel=0.08)
    assert found.error_after < 0.03 < found.error_before


def test_few_faces_without_an_error_are_not_sharpened_without_end() -> None:
    """Twenty right of twenty count as 21 of 22 (Platt 1999), so that two people's logits (2, 0) want 2 / ln 21."""
    logits = np.tile(np.array([2.0, 0.0], np.float32), (20, 1))
    found = calibrate(logits, np.zeros(20, np.int64))
    assert found.temperature == pytest.approx(2 / np.log(21), rel=1e-3)


def test_the_calibration_error_of_a_hand_worked_case() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 0])  # bins 0.9: half right; 0.6: half right
    assert expected_calibration_error(probabilities, labels, bins=10) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_a_folded_temperature_divides_the_logits() -> None:
    layer, x = nn.Linear(4, 3), torch.randn(5, 4)
    with torch.no_grad():
        before = layer(x)
        fold_temperature(layer, 2.5)
        torch.testing.assert_close(layer(x) * 2.5, before)


def test_with_the_fitted_crowd_large_galleries_name_as_many_strangers_as_small_ones() -> None:
    """Directions at random: of 10 times as many people the nearest is nearer, and without a crowd gets a name."""
    random = np.random.default_rng(0)
    faces = random.normal(size=(3000, 32))
    faces = (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)
    strangers, cohort, enrolled, temperature = faces[:1000], faces[1000:1600], faces[1600:], 0.1
    crowd = fitted_crowd(strangers, cohort, temperature)

    def scores(people: int, crowd: float) -> np.ndarray:
        logits, nobody = (strangers @ rows.T / temperature for rows in (enrolled[:people], cohort))
        nobody += crowd * np.log(people / 30)
        total = np.logaddexp.reduce(np.concatenate([logits, nobody], axis=1), axis=1)
        found: np.ndarray = logits.max(axis=1) - total
        return found

    threshold = np.quantile(scores(30, 0), 0.95)
    assert (scores(300, 0) >= threshold).mean() > 0.2
    assert (scores(300, crowd) >= threshold).mean() == pytest.approx(0.05, abs=0.04)
    assert (scores(6, crowd) >= threshold).mean() == pytest.approx(0.05, abs=0.04)

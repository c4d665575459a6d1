import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from models.training.calibration import calibrate, expected_calibration_error, fold_temperature


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

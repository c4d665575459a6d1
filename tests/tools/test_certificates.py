"""The certificates by hand, and the jitter against OpenCV's own rotation of points."""

import cv2
import numpy as np
import pytest

from tools.attacked import NOBODY
from tools.evaluation.certificates import STATED, Jitter, identity, jittered, jitters, no_impersonation

VIEWS = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.55, 0.45], [0.45, 0.55]], np.float32)
LABELS = np.array([0, 0, NOBODY, NOBODY, 0])


def test_a_face_is_safe_from_impersonation_when_its_zone_view_gives_nobody_else_enough():
    assert no_impersonation(VIEWS, LABELS, 0.56).tolist() == [True, False, False, True, True]


def test_an_identity_is_certified_when_the_zone_view_is_sure_of_the_true_person():
    assert identity(VIEWS, LABELS, 0.8).tolist() == [True, False, False, False, False]
    assert identity(VIEWS, LABELS, 0.3).tolist() == [True, False, False, False, False]  # it has to be named, too


def test_the_stated_jitter_reaches_its_extremes_alone_and_together():
    moves = jitters(shift=4, degrees=2, scale=0.03)
    assert len(moves) == len(set(moves)) == 17 == len(STATED)
    assert moves[0] == Jitter()
    assert {(m.x, m.y, m.degrees) for m in moves[-8:]} == {(x, y, d) for x in (-4, 4) for y in (-4, 4) for d in (-2, 2)}
    assert all(abs(move.scale - 1) <= 0.03 + 1e-9 for move in moves)


@pytest.mark.parametrize("jitter", [Jitter(x=8), Jitter(y=-8), Jitter(degrees=5), Jitter(scale=1.1)])
def test_a_jitter_moves_a_spot_as_a_similarity_does(jitter):
    crop = np.zeros((112, 112, 3), np.uint8)
    cv2.circle(crop, (70, 40), 3, (255, 255, 255), -1)
    moved = jittered(crop[None], jitter)[0, ..., 0].astype(float)
    centre = np.array([np.average(np.indices(moved.shape)[axis], weights=moved) for axis in (1, 0)])
    turn = np.deg2rad(-jitter.degrees)
    matrix = jitter.scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    wanted = matrix @ (np.array([70, 40]) - 55.5) + 55.5 + np.array([jitter.x, jitter.y]) / 2
    np.testing.assert_allclose(centre, wanted, atol=0.2)

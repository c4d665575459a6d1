"""The certificates by hand, and the jitter against OpenCV's own rotation of points."""

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.policy import Policy
from tools.crafting.attacked_faces import NOBODY
from tools.evaluation.certificates import JITTERS, Jitter, corners, identity, jittered, no_impersonation

VIEWS = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.55, 0.45], [0.45, 0.55]], np.float32)
LABELS = np.array([0, 0, NOBODY, NOBODY, 0])


def test_a_face_is_safe_from_impersonation_when_its_zone_view_gives_nobody_else_enough():
    assert no_impersonation(Policy(zone_confirm=0.56), VIEWS, LABELS).tolist() == [True, False, False, True, True]


def test_an_identity_is_certified_when_the_zone_view_is_sure_of_the_true_person():
    surely, barely = Policy(zone_threshold=0.8), Policy(zone_threshold=0.3)
    assert identity(surely, VIEWS, LABELS).tolist() == [True, False, False, False, False]
    assert identity(barely, VIEWS, LABELS).tolist() == [True, False, False, False, False]  # it has to be named, too


def test_who_does_not_lead_by_what_is_asked_cannot_be_anybody_else_and_is_not_told():
    policy = Policy(zone_confirm=0.3, zone_threshold=0.3, zone_lead=1.3)  # 0.7/0.3, 0.6/0.4 lead; 0.55/0.45 does not
    assert no_impersonation(policy, VIEWS, LABELS).tolist() == [True, False, False, True, True]
    assert identity(policy, VIEWS, LABELS).tolist() == [True, False, False, False, False]
    assert identity(replace(policy, zone_lead=9.5), VIEWS, LABELS).tolist() == [False] * 5  # 0.9 is 9 times 0.1


def test_a_jitter_takes_shift_turn_and_size_to_their_extremes_at_once():
    alone = ("shift", "degrees", "scale")
    moves = corners(shift=4 * 2**0.5, degrees=2, scale=0.03)
    placed = {(round(m.x), round(m.y), m.degrees, round(m.scale, 9)) for m in moves}
    assert placed == {(x, y, d, s) for x in (-4, 4) for y in (-4, 4) for d in (-2, 2) for s in (0.97, 1.03)}
    assert len(moves) == 16
    assert [len(corners(**(dict.fromkeys(alone, 0) | {one: 0.1}))) for one in alone] == [4, 2, 2]


def test_the_jitters_are_what_was_measured_of_the_alignment():
    measured = json.loads((Path(__file__).parents[3] / "docs/benchmarks/alignment.json").read_text())
    for name, kind, rank in (
        ("plain glasses, 95th percentile", "plain glasses, second look", "p95"),
        ("A9, median", "A9, second look", "p50"),
    ):
        found = measured[kind]
        for move in JITTERS[name]:
            assert math.hypot(move.x, move.y) == pytest.approx(found["shift_of_224"][rank], abs=0.05)
            assert abs(move.degrees) == pytest.approx(found["degrees"][rank], abs=0.05)
            assert abs(move.scale - 1) == pytest.approx(found["scale"][rank], abs=0.001)


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

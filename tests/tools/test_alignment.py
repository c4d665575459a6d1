"""How far a crop follows the glasses: by hand, and on the real portrait with the real detector."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import typer

from models.crop.pose import template
from models.errors import BadInput
from models.recogniser import load_recogniser
from realtime.cameras.demo_scene import LANDMARKS as FOUND
from realtime.faces.align import similarity
from realtime.types import DetectedFace
from tools import alignment
from tools.alignment import Move, crop_in_box, move_of, rightly_known, summary


def moved(points: np.ndarray, *, shift: tuple[float, float], degrees: float, scale: float) -> np.ndarray:
    turn = math.radians(degrees)
    matrix = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return (points - 112) @ matrix.T + 112 + np.array(shift)


def between(before: np.ndarray, after: np.ndarray) -> Move:
    return move_of(similarity(before, 224), similarity(after, 224))


def test_the_crop_follows_landmarks_by_as_much_as_they_were_moved():
    before = template(224).astype(np.float64)
    found = between(before, moved(before, shift=(3, -4), degrees=2, scale=1.05))
    assert found.degrees == pytest.approx(2, abs=1e-4)
    assert found.scale == pytest.approx(1.05, abs=1e-4)
    assert found.shift == pytest.approx(5, abs=1e-2)


def test_landmarks_that_stay_move_nothing():
    points = template(224) * 0.7 + 30
    assert between(points, points).farthest == pytest.approx(0, abs=1e-3)


def test_a_crop_is_placed_in_the_detectors_box_by_its_side_and_its_middle():
    # The crop's side is 112 in the picture, its middle at (355.75, 255.75); the box has sides 80 and 125: root 100.
    face = DetectedFace(np.array([300, 190, 380, 315]), template(224) * 0.5 + np.array([300, 200]), 0.99)
    side, below = crop_in_box(face)
    assert side == pytest.approx(1.12, abs=1e-4)
    assert below == pytest.approx((255.75 - 252.5) / 100, abs=1e-4)


def test_the_summary_gives_quantiles_and_counts_faces_that_were_lost():
    found = summary([Move(1, -2, 1.0), Move(3, 1, 0.9)], 2, 4)
    assert found["no_longer_found"]["right"] == 2
    assert found["shift_of_224"] == {"p50": 2.0, "p95": 2.9, "max": 3.0}
    assert found["degrees"]["max"] == 2.0
    assert found["scale"]["max"] == pytest.approx(0.1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "Eileen Collins").mkdir()
    face = skimage.data.astronaut()[:260, 90:350]
    cv2.imwrite(str(folder / "Eileen Collins" / "a.png"), face[..., ::-1])
    return folder


def run(*arguments: object) -> None:
    typer.main.get_command(alignment.app).main([str(argument) for argument in arguments], standalone_mode=False)


def test_adversarial_glasses_move_the_crop_of_a_real_face_further_than_plain_ones(photos, tmp_path):
    run(photos, "--pull", "up", "--pull", "down", "--steps", 15, "--json", tmp_path / "a.json")
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["faces"] == 1
    assert figures["A9"]["farthest_of_224"]["max"] > figures["plain glasses"]["farthest_of_224"]["max"]
    assert figures["as it is"]["farthest_of_224"]["max"] == 0
    for name in ("as it is", "plain glasses"):  # the second look leaves a crop in its place
        assert figures[f"{name}, second look"] == figures[name]


def test_a9_may_be_left_out_where_many_photographs_are_measured(photos, tmp_path):
    run(photos, "--attacked", 0, "--json", tmp_path / "a.json")
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["plain glasses"]["no_longer_found"]["n"] == figures["faces"] == 1
    assert "A9" not in figures


def test_who_knows_of_the_second_look_is_counted_beside(photos, tmp_path):
    run(photos, "--pull", "up", "--knowing", 1, "--steps", 3, "--json", tmp_path / "a.json")
    figures = json.loads((tmp_path / "a.json").read_text())
    assert (
        figures["A9, knowing"]["no_longer_found"]["n"]
        == figures["A9, knowing, second look"]["no_longer_found"]["n"]
        == 1
    )


def test_people_that_a_bundle_knows_are_counted_with_and_without_the_second_look(photos, tmp_path, small_bundle):
    recogniser = load_recogniser(small_bundle.folder, "onnxruntime-cpu", threads=1)
    bgr = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    pose = similarity(FOUND, 224)
    moved = pose + np.array([[0, 0, 30], [0, 0, 0]])
    found = rightly_known(recogniser, [(recogniser.labels[0], bgr, pose, moved), ("Nobody", bgr, pose, pose)])
    assert found["by the landmarks"]["n"] == found["second look"]["n"] == found["cut again"] == 1
    with pytest.raises(BadInput, match="none of its people"):
        run(photos, "--attacked", 0, "--bundle", small_bundle.folder)


def test_unknown_pulls_and_shapes_are_refused(photos):
    with pytest.raises(BadInput, match="--pull 'sideways'"):
        run(photos, "--pull", "sideways")
    with pytest.raises(BadInput, match="--shape 'monocle'"):
        run(photos, "--shape", "monocle")

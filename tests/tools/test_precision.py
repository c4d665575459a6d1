"""What engines in 8 bits and half precision cost: the rule by hand, and runs over a small bundle."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.bundle import Bundle
from models.engines import make_engine
from models.errors import BadInput
from models.graphs.int8 import measure_ranges
from models.policy import Decision
from models.recogniser import Recogniser
from tools import precision
from tools.crafting.attacked_faces import NOBODY
from tools.evaluation.beside import Answers, Faces, accepted, answers, compared
from tools.faces.people import People
from tools.tuning.ranges import SHARES

NAMES = ("a", "b", "c")


def made_up(raw: list[int], defended: list[int], masked: int, known: list[int | None] | None = None) -> Answers:
    """Answers that name these people out of three, with ``masked`` pixels of a row hidden."""
    masks = np.zeros((len(raw), 4, 4), bool)
    masks[:, 0, :masked] = True
    eye = np.eye(3, dtype=np.float32)
    decisions = tuple(
        Decision.unknown("stranger") if one is None else Decision.known(NAMES[one], 0.9)
        for one in (defended if known is None else known)
    )
    return Answers(
        eye[raw], eye[defended], masks, np.ones(len(raw), bool), decisions, np.zeros((len(raw), 0, 3), np.float32)
    )


def faces_of(labels: list[int], targets: list[int] | None = None) -> Faces:
    nobody = [NOBODY] * len(labels)
    return Faces(np.zeros((len(labels), 4, 4, 3), np.uint8), np.array(labels), np.array(targets or nobody))


def test_costs_are_points_of_accuracy() -> None:
    wanted = made_up([0, 1, 2, 0], [0, 1, 2, 1], 4)
    found = made_up([0, 1, 2, 1], [0, 1, 2, 0], 2)
    result = compared(found, wanted, faces_of([0, 1, 2, 0]), NAMES)
    assert result["undefended"]["cost_points"] == 25.0
    assert (result["undefended"]["lost"], result["undefended"]["gained"]) == (1, 0)
    assert result["defended"]["cost_points"] == -25.0
    assert result["mask_iou"] == 0.5
    assert result["same_decisions"]["right"] == 3
    assert result["first_names_changed"] == 1


def test_who_is_known_is_counted_in_all_rightly_and_as_whom_is_attacked() -> None:
    found = made_up([0, 1, 2, 0], [0, 1, 2, 0], 4, known=[0, 2, None, 1])
    result = compared(found, found, faces_of([0, 1, 2, 0], [1, 2, 0, NOBODY]), NAMES)
    assert result["counts"] == {"known": 3, "right": 1, "target": 1}
    strangers = compared(found, found, faces_of([NOBODY] * 4), NAMES)
    assert json.loads(json.dumps(strangers["counts"])) == {"known": 3, "right": 0, "target": 0}  # a bundle keeps them
    assert "undefended" not in strangers


def test_two_empty_masks_agree_and_no_masks_are_not_measured() -> None:
    nothing = made_up([0], [0], 0)
    assert compared(nothing, nothing, faces_of([0]), NAMES)["mask_iou"] == 1.0
    unseen = Answers(nothing.raw, nothing.defended, nothing.masks, np.zeros(1, bool), nothing.decisions, nothing.views)
    assert compared(unseen, nothing, faces_of([0]), NAMES)["mask_iou"] is None


@pytest.mark.parametrize(
    ("right", "target", "named", "wanted"),
    [
        (0, 0, 0, True),
        (-1, 0, 1, True),
        (5, -3, -2, True),
        (-2, 0, 0, False),
        (0, 1, 0, False),
        (0, 0, 2, False),
        (0, None, 0, False),
        (0, 0, None, False),
    ],
)
def test_one_known_face_fewer_and_one_stranger_more_are_accepted_and_nobody_more_as_whom_he_attacks(
    right: int, target: int | None, named: int | None, wanted: bool
) -> None:
    def more(**counts: int) -> dict[str, object]:
        before = {"known": 10, "right": 10, "target": 10}
        return {"reference_counts": before, "counts": {key: 10 + counts.get(key, 0) for key in before}}

    result = {"clean": more(right=right)}
    if target is not None:
        result["attacked"] = more(target=target)
    if named is not None:
        result["strangers"] = more(known=named)
    assert accepted(result) is wanted


def test_ranges_come_from_crops_that_nothing_is_measured_on(small_bundle: Bundle) -> None:
    crops = np.zeros((4, 32, 32, 3), np.uint8)
    crops[2:] = 255  # the held-out ones are bright
    people = People(("a",), crops, np.zeros(4, np.int64), ("a/0", "a/1", "a/2", "a/3"))
    prepared = precision.with_ranges(small_bundle, people, people.subset(np.array([2, 3])))
    record = prepared.info.calibration["int8"]
    assert record["crops"] == 2
    dark = measure_ranges(onnx.load(str(small_bundle.classifier_path)), small_bundle.info.trunk.spec, crops[:2])
    shares = {round(value / dark[name], 3) for name, value in record["ranges"].items() if not name.startswith("d_")}
    assert len(shares) == 1
    assert shares <= set(SHARES)
    assert {n: v for n, v in record["ranges"].items() if n.startswith("d_")} == pytest.approx(
        {n: v for n, v in dark.items() if n.startswith("d_")}, rel=1e-3
    )
    assert "int8" not in small_bundle.info.calibration


def test_an_engine_costs_nothing_against_itself(small_bundle: Bundle) -> None:
    recogniser = Recogniser(small_bundle, make_engine("onnxruntime-cpu", small_bundle, threads=1))
    crops = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    found = answers(recogniser, crops)
    faces = Faces(crops, found.raw.argmax(axis=1), np.full(10, NOBODY))
    result = compared(found, answers(recogniser, crops), faces, recogniser.labels)
    assert result["undefended"]["cost_points"] == result["defended"]["cost_points"] == 0
    assert result["mask_iou"] == 1.0
    assert result["same_decisions"]["share"] == 1.0


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> People:
    """Crops of the small bundle's people; the first two are held out."""
    crops = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), np.uint8)
    names, pictures = ("Person 0", "Person 1"), tuple(f"p/{number}" for number in range(6))
    monkeypatch.setattr(precision, "held_out", lambda recogniser, people: people.subset(np.array([0, 1])))
    return People(names, crops, np.array([0, 1] * 3), pictures)


def test_without_attacked_faces_and_strangers_nothing_is_accepted(
    small_bundle: Bundle, people: People, tmp_path: Path
) -> None:
    plan, engines = precision.Plan(0, 1, tmp_path, threads=1), ["onnxruntime-bf16", "onnxruntime-cpu"]
    bundle, result = precision.measure(small_bundle, people, engines, plan, strangers=people, reported=people)
    assert result["accepted"] == bundle.accepted_engines == []
    for name in engines:
        kinds = {kind: one["n"] for kind, one in result["engines"][name].items() if isinstance(one, dict)}
        assert kinds == {"clean": 2, "strangers": 6, "reported": 6}
    assert result["engines"]["onnxruntime-cpu"]["clean"]["same_decisions"]["share"] == 1.0


def test_what_stands_for_another_engine_is_accepted_for_it(
    small_bundle: Bundle, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "accepted", lambda found: True)
    bundle, _ = precision.measure(small_bundle, people, ["onnxruntime-bf16"], precision.Plan(0, 1, tmp_path, threads=1))
    assert bundle.accepted_engines == ["onnxruntime-bf16", "openvino-bf16"]


def test_an_engine_that_does_not_exist_is_told_before_faces_are_attacked(
    small_bundle: Bundle, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "attacked_faces", lambda *_, **__: pytest.fail("faces were attacked"))
    with pytest.raises(BadInput, match="'onxruntime-int8': no such engine"):
        precision.measure(small_bundle, people, ["onxruntime-int8"], precision.Plan(1, 1, tmp_path, threads=1))

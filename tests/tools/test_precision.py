"""What 8-bit engines cost: the arithmetic by hand, and one run over a small bundle."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.engines import make_engine
from models.errors import BadInput
from models.recogniser import Recogniser
from tools import precision
from tools.faces.people import People
from tools.precision import Answers, accepted, answers, compared


def made_up(raw: list[int], defended: list[int], masked: int) -> Answers:
    """Answers that name these people out of three, with ``masked`` pixels of a row hidden."""
    masks = np.zeros((len(raw), 4, 4), bool)
    masks[:, 0, :masked] = True
    eye = np.eye(3, dtype=np.float32)
    return Answers(eye[raw], eye[defended], masks, tuple(("known", str(name), None) for name in defended))


def test_costs_are_points_of_accuracy() -> None:
    labels = np.array([0, 1, 2, 0])
    wanted = made_up([0, 1, 2, 0], [0, 1, 2, 1], 4)
    found = made_up([0, 1, 2, 1], [0, 1, 2, 0], 2)
    result = compared(found, wanted, labels)
    assert result["undefended"]["cost_points"] == 25.0
    assert (result["undefended"]["lost"], result["undefended"]["gained"]) == (1, 0)
    assert result["defended"]["cost_points"] == -25.0
    assert result["mask_iou"] == 0.5
    assert result["same_decisions"]["right"] == 3


def test_two_empty_masks_agree() -> None:
    nothing = made_up([0], [0], 0)
    assert compared(nothing, nothing, np.array([0]))["mask_iou"] == 1.0


@pytest.mark.parametrize(
    ("clean", "defended", "attacked", "wanted"),
    [
        (0.5, 0.5, 0.5, True),
        (0.6, 0.0, 0.0, False),
        (0.0, 0.6, 0.0, False),
        (0.0, 0.0, 0.6, False),
        (0, 0, None, False),
    ],
)
def test_half_a_point_is_accepted_and_no_more(
    clean: float, defended: float, attacked: float | None, wanted: bool
) -> None:
    result = {"clean": {"undefended": {"cost_points": clean}, "defended": {"cost_points": defended}}}
    if attacked is not None:
        result["attacked"] = {"undefended": {"cost_points": 99.0}, "defended": {"cost_points": attacked}}
    assert accepted(result) is wanted


def test_ranges_come_from_crops_that_nothing_is_measured_on(small_bundle: Bundle) -> None:
    crops = np.zeros((4, 32, 32, 3), np.uint8)
    crops[2:] = 255  # the held-out ones are bright
    people = People(("a",), crops, np.zeros(4, np.int64), ("a/0", "a/1", "a/2", "a/3"))
    prepared = precision.with_ranges(small_bundle, people, people.subset(np.array([2, 3])))
    record = prepared.info.calibration["int8"]
    assert record["crops"] == 2
    assert record["ranges"]["pixels"] == pytest.approx(max(small_bundle.info.trunk.mean), rel=1e-3)
    assert "int8" not in small_bundle.info.calibration


def test_an_engine_costs_nothing_against_itself(small_bundle: Bundle) -> None:
    recogniser = Recogniser(small_bundle, make_engine("onnxruntime-cpu", small_bundle, threads=1))
    crops = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    found = answers(recogniser, crops)
    labels = found.raw.argmax(axis=1)
    result = compared(found, answers(recogniser, crops), labels)
    assert result["undefended"]["cost_points"] == result["defended"]["cost_points"] == 0
    assert result["mask_iou"] == 1.0
    assert result["same_decisions"]["share"] == 1.0


def test_an_engine_that_does_not_exist_is_told_before_faces_are_attacked(
    small_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = np.zeros((4, 32, 32, 3), np.uint8)
    people = People(("a",), crops, np.zeros(4, np.int64), ("a/0", "a/1", "a/2", "a/3"))
    monkeypatch.setattr(precision, "held_out", lambda recogniser, people: people.subset(np.array([0])))
    monkeypatch.setattr(precision, "labelled", lambda people, recogniser: (people.crops, people.labels))
    monkeypatch.setattr(precision, "attacked_faces", lambda *_, **__: pytest.fail("faces were attacked"))
    with pytest.raises(BadInput, match="'onxruntime-int8': no such engine"):
        precision.measure(small_bundle, people, ["onxruntime-int8"], attacks=1, steps=1, folder=tmp_path, threads=1)

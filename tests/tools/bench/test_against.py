"""The natural way beside ours: the same frames, the same decisions."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.policy import Decision
from models.recogniser import load_recogniser
from realtime.cameras.demo_scene import DemoScene
from realtime.types import Frame
from tools.bench import against, scene, tables
from tools.bench.naive import Naive


def test_the_natural_way_decides_as_the_reference_does(small_bundle: Bundle, demo: DemoScene) -> None:
    """Captum's saliency and a plain loop against our own guided backpropagation, on the same crops."""
    naive, reference = Naive(small_bundle), load_recogniser(small_bundle.folder, "torch", threads=1)
    crops = scene.crops_of(demo, scene.ATTACKED, 32, 4)
    evidence = reference.defend(crops)
    assert evidence.mask.any()
    for crop, wanted in zip(crops, reference.decide(crops), strict=True):
        found = naive.decide_crop(crop)
        assert replace(found, confidence=0) == replace(wanted, confidence=0)
        assert found.confidence == pytest.approx(wanted.confidence, abs=1e-4)


def test_both_sides_find_the_face_of_every_frame(small_bundle: Bundle) -> None:
    plan = against.Plan(engines=("onnxruntime",), sizes=(32,), rounds=2, frames=2, threads=1, naive_threads=(1,))
    rows = against.measure(small_bundle, plan, Path("unused"))
    natural, every, third = rows
    assert natural["ratio"] is None
    assert natural["way"] == every["baseline"] == third["baseline"] == "naive, 1 torch thread"
    for row in (every, third):
        wanted = row["decisions_per_second"]["p50"] / natural["decisions_per_second"]["p50"]
        assert row["ratio"]["p50"] == pytest.approx(wanted, rel=0.3)
    tables.naive_table(rows)


def test_every_way_sees_the_same_frames_round_by_round(demo: DemoScene) -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}
    nobody = Decision("unknown", None, None, None, 0.0, "")

    def way(name: str, decisions: int):  # type: ignore[no-untyped-def]
        def decide(frame: Frame) -> list[Decision]:
            seen[name].append(frame.index)
            time.sleep(0.01)
            return [nobody] * decisions

        return decide

    plan = against.Plan(rounds=2, frames=3)
    rates = against.in_rounds({"a": way("a", 1), "b": way("b", 2)}, scene.frames_of(demo, 6), plan)
    assert seen["a"] == seen["b"] == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert len(rates["a"]) == 2
    assert max(rates["a"]) <= 100  # one decision per 10 ms
    assert rates["b"][0] > 1.3 * rates["a"][0]

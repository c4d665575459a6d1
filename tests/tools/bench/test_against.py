"""The natural way beside ours: the same frames, the same decisions."""

from collections.abc import Sequence
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


PLAN = against.Plan(engines=("onnxruntime",), sizes=(32,), rounds=2, frames=2, threads=1, naive_threads=(1, 2))


def test_both_sides_find_the_face_of_every_frame(small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, list[int]] = {}
    in_rounds = against.in_rounds

    def counted(name: str, way: against.Way) -> against.Way:
        def decide(frame: Frame) -> Sequence[Decision]:
            decisions = way(frame)
            found.setdefault(name, []).append(len(decisions))
            return decisions

        return decide

    def watched(
        ways: dict[str, against.Way], frames: Sequence[Frame], plan: against.Plan, tick: None
    ) -> dict[str, list[float]]:
        return in_rounds({name: counted(name, way) for name, way in ways.items()}, frames, plan, tick)

    monkeypatch.setattr(against, "in_rounds", watched)
    rows = against.measure(small_bundle, PLAN, Path("unused"))
    # two frames beforehand and two rounds of two; a track of ours is sure of its face from the second detection on
    ran = [row for row in rows if "left_out" not in row]
    assert {name: decisions[3:] for name, decisions in found.items()} == {row["way"]: [1] * 3 for row in ran}
    assert all(row["decisions_per_second"]["p50"] > 0 for row in ran)
    tables.naive_table(rows)


def test_ours_is_compared_round_by_round_with_the_better_of_the_natural_ways(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter(([1.0, 2.0], [2.0, 4.0], [4.0, 16.0], [6.0, 12.0]))
    monkeypatch.setattr(against, "in_rounds", lambda ways, *_: {name: next(rates) for name in ways})
    rows = against.measure(small_bundle, PLAN, Path("unused"))
    ran = [row for row in rows if "left_out" not in row]
    assert [row["ratio"] and row["ratio"]["p50"] for row in ran] == [None, None, 3.0, 3.0]
    assert {row["baseline"] for row in rows} == {"naive, 2 torch threads"}


def test_every_way_sees_the_same_frames_round_by_round(demo: DemoScene, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(against.time, "perf_counter", lambda: clock[0])
    seen: dict[str, list[int]] = {"a": [], "b": []}
    nobody = Decision.unknown("", 0.0)

    def way(name: str, decisions: int):  # type: ignore[no-untyped-def]
        def decide(frame: Frame) -> list[Decision]:
            seen[name].append(frame.index)
            clock[0] += 0.01
            return [nobody] * decisions

        return decide

    plan = against.Plan(rounds=2, frames=3)
    rates = against.in_rounds({"a": way("a", 1), "b": way("b", 2)}, scene.frames_of(demo, 6), plan)
    assert seen["a"] == seen["b"] == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert rates["a"] == pytest.approx([100, 100])  # one decision per 10 ms
    assert rates["b"] == pytest.approx([200, 200])


def test_an_engine_that_cannot_run_here_is_left_out_with_its_reason(small_bundle: Bundle, tmp_path: Path) -> None:
    plan = replace(PLAN, engines=("onnxruntime", "abacus"))
    rows = against.measure(small_bundle, plan, tmp_path)
    left = {row["way"]: row["left_out"] for row in rows if "left_out" in row}
    assert "no such engine" in left["abacus"]
    assert any(row["way"].startswith("onnxruntime") for row in rows if "left_out" not in row)

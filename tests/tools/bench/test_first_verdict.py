"""How long somebody waits until something is said: by hand, and in a real run of a few seconds."""

from __future__ import annotations

from typing import Any

import pytest
from small_people import make_recogniser

from models.policy import Decision
from realtime.verdicts.verdict import Verdict
from tools.bench import first_verdict, tables
from tools.bench.first_verdict import Waits, measure
from tools.bench.live import Case


def verdict(state: Any) -> Verdict:
    none = [None] * 3
    return Verdict(1, 0, state, *none, 0.5, *none, "", None, 0.0, 0.0, 0.0, 0.5, Decision.unknown(""), None)


def test_each_appearance_counts_from_its_first_picture_to_the_first_verdict_and_the_first_name() -> None:
    waits, onsets = Waits(), [10.0, 20.0]
    waits.note(onsets, 9.0, {1: verdict("known")}, 9.5)  # before anybody came
    waits.note(onsets, 10.1, {}, 10.2)
    waits.note(onsets, 10.1, {1: verdict("unknown")}, 10.3)
    waits.note(onsets, 10.4, {1: verdict("known")}, 10.9)
    waits.note(onsets, 20.0, {2: verdict("suspected_attack")}, 20.25)
    assert waits.said == pytest.approx({0: 0.3, 1: 0.25})
    assert waits.named == pytest.approx({0: 0.9, 1: 0.25})


def test_a_real_run_tells_the_first_verdict_of_every_appearance(
    tmp_path: Any, narrow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_verdict, "SHOWN", 20)
    monkeypatch.setattr(first_verdict, "AWAY", 15)
    bundle = make_recogniser(tmp_path / "small").bundle.folder
    seconds = 2.3 * 35 / 25
    row = measure(Case(bundle=str(bundle), threads=1, engine="onnxruntime-cpu", seconds=seconds, everything=False))
    assert row["appearances"] == 1  # without the first, and the one that the end cuts off
    took = row["first_verdict_ms"]
    assert took is not None
    assert took["n"] == row["appearances"]
    assert 20 < took["p50"] < 1e3 * 35 / 25
    tables.first_table(row)

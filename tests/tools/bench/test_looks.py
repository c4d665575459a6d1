"""Decisions are measured as the pipeline takes them."""

from __future__ import annotations

import numpy as np
import pytest

from models.bundle import Bundle
from models.engines import make_engine
from models.policy import Policy
from models.recogniser import Recogniser
from tools.bench.looks import LiveLooks

NOBODY_IS_DOUBTED = Policy(threshold=0, confirm=0, zone_threshold=0, zone_confirm=0, further_confirm=0, floor=0)


def looks_of(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[list[bool]], str]]:
    seen: list[tuple[list[list[bool]], str]] = []
    defend = recogniser.defend

    def noted(crops, **options):  # type: ignore[no-untyped-def]
        seen.append((options["looked"].tolist(), options["explaining"]))
        return defend(crops, **options)

    monkeypatch.setattr(recogniser, "defend", noted)
    return seen


def test_every_decision_looks_at_the_first_view_and_a_settled_face_lets_a_sure_one_rest(
    narrow_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = Recogniser(narrow_bundle, make_engine("onnxruntime-cpu", narrow_bundle, threads=1))
    recogniser.zones, recogniser.policy = ("eyewear", "lower_face"), NOBODY_IS_DOUBTED
    monkeypatch.setattr("realtime.schedule._SURE", 0.0)  # an untrained network is sure of nothing
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    seen, looks = looks_of(recogniser, monkeypatch), LiveLooks(recogniser, 2)
    looks.settle(crops)
    for _ in range(4):
        looks.decide(crops)
    assert all(looked[0] for both, _ in seen for looked in both)
    assert [both[0][1] for both, _ in seen[-4:]] in ([True, False] * 2, [False, True] * 2)


def test_the_next_alarm_of_a_face_is_expected(narrow_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = Recogniser(narrow_bundle, make_engine("onnxruntime-cpu", narrow_bundle, threads=1))
    recogniser.zones = ("eyewear",)
    recogniser.policy = Policy(threshold=0, zone_confirm=2.0, zone_dissent=2.0, zone_threshold=0)  # always an alarm
    crops = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    seen, looks = looks_of(recogniser, monkeypatch), LiveLooks(recogniser)
    for _ in range(3):
        looks.decide(crops)
    assert [explaining for _, explaining in seen] == ["alarms", "all", "all"]

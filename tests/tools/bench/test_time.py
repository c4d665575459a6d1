"""How long a wrong name stood over a face, worked out by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tools.bench.tables import time_table
from tools.bench.time import Shown, summary, whose
from tools.fault_drill.scenes import STRANGER, Truth

ADA, BOB = Truth("Ada", 100, 100), Truth("Bob", 400, 100)


def seen(
    shown: Shown, index: int, name: str | None, *, x: float = 100, stale: bool = False, state: str = "known"
) -> None:
    """One picture is drawn with one verdict."""
    box = np.array([x - 50, 50, x + 50, 150], np.float32)
    track = SimpleNamespace(track_id=1, epoch=0, face=SimpleNamespace(box=box))
    verdict = SimpleNamespace(state=state, identity=name, stale=stale, epoch=0)
    found = SimpleNamespace(crops=[SimpleNamespace(track=track)])
    frame: Any = SimpleNamespace(index=index, bgr=np.zeros((2, 2, 3), np.uint8))
    shown.draw(frame, found, {1: verdict}, None)  # type: ignore[arg-type]


def test_a_name_over_another_face_is_wrong_until_the_next_picture_is_drawn() -> None:
    shown = Shown([[ADA]] * 5 + [[BOB]] * 5)
    for index in (0, 2, 4):
        seen(shown, index, "Ada")
    for index in (5, 8):
        seen(shown, index, "Ada", x=400)
    assert (shown.right, shown.wrong) == ({0, 2, 4}, {5, 8})
    assert shown.seconds(shown.wrong) == pytest.approx((3 + 2) / 25)
    assert shown.seconds(shown.right) == pytest.approx((2 + 2 + 1) / 25)


@pytest.mark.parametrize("said", [{"stale": True}, {"state": "unknown"}, {"x": 300}])
def test_what_is_not_current_not_a_name_or_over_nobody_is_not_wrong(said: dict[str, Any]) -> None:
    shown = Shown([[ADA]])
    seen(shown, 0, "Bob", **said)
    assert not shown.wrong


def test_any_name_over_a_stranger_is_wrong() -> None:
    shown = Shown([[Truth(STRANGER, 100, 100)]])
    seen(shown, 0, "Ada")
    assert shown.wrong == {0}


def test_a_face_belongs_to_whoever_is_nearest() -> None:
    assert whose([ADA, BOB], np.array([300, 100])) == "Bob"
    assert whose([ADA, BOB], np.array([100, 300])) is None
    assert whose([], np.array([100, 100])) is None


def test_the_target_holds_for_one_and_two_faces() -> None:
    def row(faces: int, wrong: float) -> dict[str, Any]:
        more = {"right_seconds": 1.0, "alarm_seconds": 0.0, "seconds": 4.0}
        return {"clip": "cut", "faces": faces, "mode": "live", "wrong_seconds": wrong, **more}

    found = summary([row(1, 0.0), row(2, 0.4), row(4, 0.9)])
    assert (found["p50"], found["worst"], found["on_target"]) == (0.4, 0.9, True)
    assert found["worst_by_faces"] == {"1": 0.0, "2": 0.4, "4": 0.9}
    assert not summary([row(2, 0.6)])["on_target"]
    time_table({"clips": [row(1, 0.0)], "wrong_seconds": {"live": found}})

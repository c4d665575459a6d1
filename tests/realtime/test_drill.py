"""Glasses on a live face: what is worn, what is counted, and that nothing of it is kept."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from models.crop.pose import template
from models.errors import BadInput
from models.policy import Decision
from realtime.commands.jsonl import DecisionLines, line_of
from realtime.drill import SECONDS, Drill, WearingCamera, embedded_glasses, read_wearable, without_history
from realtime.settings.config import Config
from realtime.types import DetectedFace, FaceCrop, Frame, TrackedFace

BLUE_BAR = np.zeros((64, 64, 4), np.uint8)
BLUE_BAR[16:32, 8:56] = (0, 0, 255, 255)  # RGBA


class Camera:
    """Grey pictures, a tenth of a second apart."""

    name, real_time, native_fps, codec = "door", True, 10.0, None
    dropped: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        self.index = -1

    def read(self) -> Frame:
        self.index += 1
        return Frame("door", self.index, np.full((200, 200, 3), 90, np.uint8), self.index / 10, 0.0)

    def close(self) -> None:
        self.closed = True


class Detector:
    """Finds a face in the first picture only."""

    def __init__(self) -> None:
        self.asked = 0

    def detect(self, bgr: np.ndarray) -> list[DetectedFace]:
        self.asked += 1
        face = DetectedFace(np.array([50, 50, 150, 150], np.float32), template(100) + np.float32(50), 1.0)
        return [face] if self.asked == 1 else []


def test_the_face_wears_it_and_for_a_moment_where_it_was_last_found() -> None:
    camera = WearingCamera(Camera(), lambda: BLUE_BAR, Detector)
    worn = [camera.read().bgr for _ in range(8)]
    blue = [bool((picture[..., 0].astype(int) - picture[..., 2] > 100).any()) for picture in worn]
    assert blue == [True] * 5 + [False] * 3
    row, column = 50 + 100 * 24 // 64, 100  # the bar's middle in the frame
    assert worn[0][row, column].tolist() == [255, 0, 0]
    assert worn[0][5, 5].tolist() == [90, 90, 90]


def test_only_what_is_worn_is_marked_and_no_detector_is_made_before() -> None:
    now: list[float] = [0.0]
    made: list[Detector] = []

    def detector() -> Detector:
        made.append(Detector())
        return made[-1]

    drill = Drill(detector, clock=lambda: now[0])
    camera = drill.worn(Camera())
    assert (camera.read().drill, made) == (False, [])
    drill.begin("door", BLUE_BAR)
    assert camera.read().drill
    now[0] = SECONDS - 1
    assert camera.read().drill
    now[0] = SECONDS  # a drill that was forgotten
    assert (camera.read().drill, len(made), drill.said()) == (False, 1, {})
    drill.begin("yard", BLUE_BAR)
    assert not camera.read().drill
    drill.end("yard")
    assert drill.said() == {}


def crop(drill: bool = True) -> FaceCrop:
    face = DetectedFace(np.array([1, 2, 3, 4], np.float32), template(100), 1.0)
    frame = Frame("door", 7, np.zeros((4, 4, 3), np.uint8), 0.0, 1.0, file_time=0.28, drill=drill)
    return FaceCrop(TrackedFace(3, face), frame, np.zeros((4, 4, 3), np.uint8))


ATTACK = Decision.suspected(
    "Bob", 0.9, likely="Ann", reason="the eyewear view does not bear Bob out", dissent="eyewear"
)
FOOLED = Decision.known("Bob", 0.97)


def test_both_verdicts_are_counted_and_stand_side_by_side() -> None:
    drill = Drill(Detector, BLUE_BAR)
    noted = drill.noted(lambda frame: "otherwise")
    assert (noted(crop().frame), noted(crop(drill=False).frame)) == ("DRILL", "otherwise")
    drill.count(crop(drill=False), None, FOOLED, ATTACK)  # type: ignore[arg-type]
    for _ in range(2):
        drill.count(crop(), None, FOOLED, ATTACK)  # type: ignore[arg-type]
    assert drill.act() == {
        "name": "drill",
        "frames": 1,
        "undefended": {"Known(Bob)": 2},
        "defended": {"SuspectedAttack(Bob)": 2},
    }
    assert drill.said()["door"]["last"] == {"undefended": "Known(Bob)", "defended": "SuspectedAttack(Bob)"}
    assert drill.note(crop().frame) == "DRILL  without defence: Known(Bob)   with: SuspectedAttack(Bob)"


def test_a_drill_keeps_and_sends_no_event(tmp_path: Path) -> None:
    config = Config.model_validate({"events": {"folder": str(tmp_path)}})
    assert without_history(config).events.folder is None


def test_the_demos_glasses_can_be_worn() -> None:
    assert embedded_glasses().shape[2] == 4


def test_what_make_glasses_writes_can_be_worn(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "texture.png"), BLUE_BAR[..., [2, 1, 0, 3]])
    np.testing.assert_array_equal(read_wearable(tmp_path / "texture.png"), BLUE_BAR)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((64, 64, 3), np.uint8), "covers everything"),
        (np.zeros((64, 64, 4), np.uint8), "shows nothing"),
        (BLUE_BAR[:32], "is 64 x 32"),
        (None, "is not a picture"),
    ],
)
def test_what_cannot_be_worn_is_said(picture: np.ndarray | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "glasses.png"
    path.write_bytes(b"nothing") if picture is None else cv2.imwrite(str(path), picture)
    with pytest.raises(BadInput, match=f"{said}.*tools.make_glasses"):
        read_wearable(path)


def test_every_decision_is_a_line_of_json(tmp_path: Path) -> None:
    import json

    with DecisionLines(tmp_path / "run.jsonl") as lines:
        lines.count(crop(), None, FOOLED, ATTACK)  # type: ignore[arg-type]
        (line,) = (tmp_path / "run.jsonl").read_text().splitlines()  # at once, not at the end
    assert json.loads(line) == line_of(crop(), FOOLED, ATTACK)
    found = json.loads(line)
    assert (found["clip_seconds"], found["track"], found["claimed"], found["undefended"]) == (0.28, 3, "Bob", "Bob")
    assert found["drill"] is True
    with pytest.raises(BadInput, match="cannot write"):
        DecisionLines(tmp_path / "none" / "run.jsonl")

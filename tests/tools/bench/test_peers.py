"""Other programs' loops: what they answer, what is said where one cannot run, and how all of it is shown."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import BadInput
from realtime.types import Frame
from tools.bench import peers, tables, watch


class FakeDetector:
    """Finds the left and the right half of every picture; the right one is small."""

    def setInputSize(self, size: tuple[int, int]) -> None:
        self.width, self.height = size

    def detect(self, bgr: np.ndarray) -> tuple[int, np.ndarray]:
        halves = [[x, 0, side, side, *[0.0] * 10, 0.9] for x, side in ((0, 60), (80, 20))]
        return 1, np.array(halves, np.float32)


class FakeRecogniser:
    """A face is its colour."""

    def alignCrop(self, bgr: np.ndarray, row: np.ndarray) -> np.ndarray:
        x, y, width, height = (int(value) for value in row[:4])
        return bgr[y : y + height, x : x + width]

    def feature(self, aligned: np.ndarray) -> np.ndarray:
        return aligned.reshape(-1, 3).mean(axis=0, dtype=np.float32)[None]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    def created(fake: type) -> Any:
        return type("Fake", (), {"create": staticmethod(lambda *given: fake())})

    monkeypatch.setattr(peers.cv2, "FaceDetectorYN", created(FakeDetector))
    monkeypatch.setattr(peers.cv2, "FaceRecognizerSF", created(FakeRecogniser))
    for name in ("yunet.onnx", "sface.onnx"):
        (tmp_path / name).touch()
    return tmp_path / "yunet.onnx", tmp_path / "sface.onnx"


def frame_of(colour: tuple[int, int, int]) -> Frame:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:] = colour
    return Frame(bgr=picture, index=0, captured_at=0.0, wall_time=0.0, camera="c")


def test_opencvs_pair_knows_whom_it_enrolled_and_leaves_small_faces_out(files: tuple[Path, Path]) -> None:
    ways, absent = peers.peers(*files, frame_of((200, 10, 10)))
    pair = ways["YuNet and SFace, undefended"]
    (known,) = pair(frame_of((190, 0, 0)))
    (stranger,) = pair(frame_of((0, 200, 0)))
    assert (known.state, known.identity) == ("known", "0")
    assert stranger.state == "unknown"
    assert set(absent) <= {"deepface, undefended"}


def test_a_peer_that_cannot_run_here_is_said_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None if name == "deepface" else find(name))
    ways, absent = peers.peers(None, None, frame_of((0, 0, 0)))
    assert ways == {}
    assert absent["YuNet and SFace, undefended"] == "give both files as --yunet and --sface"
    assert absent["deepface, undefended"] == "the package deepface is not installed"
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    assert "nothing is downloaded" in peers.peers(None, None, frame_of((0, 0, 0)))[1]["deepface, undefended"]
    with pytest.raises(BadInput, match="no such file"):
        peers.YuNetAndSFace(tmp_path / "a.onnx", tmp_path / "b.onnx")


def test_bars_are_as_long_as_their_values_and_ages_fall_into_their_classes() -> None:
    assert tables.bar(10, 10, 4) == "████"
    assert tables.bar(5, 10, 4) == "██"
    assert tables.bar(1, 32, 4) == "▏"
    assert tables.bar(0, 0) == ""
    assert [watch.age_class(age) for age in (0, 19.9, 20, 999, 1000, 1e6)] == [
        "0-20",
        "0-20",
        "20-40",
        "500-1000",
        "1000 and more",
        "1000 and more",
    ]

"""What ``identify`` decides and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from models import load_recogniser
from models.bundle import Bundle
from models.errors import BadInput
from realtime.commands import identify
from realtime.commands.identify import identify_photo, identify_photos, print_faces
from realtime.settings.config import Config
from realtime.system.command_line import console
from realtime.types import DetectedFace


@pytest.mark.parametrize("odd", ["holiday [final].jpg", "a[/b].jpg", "me :smile: you.jpg"])
def test_brackets_and_colons_in_names_are_printed_as_they_are(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    face = {
        "box": [10.0, 20.0, 60.0, 80.0],
        "state": "suspected_attack",
        "identity": None,
        "claimed": f"claimed {odd}",
        "likely": f"likely {odd}",
        "confidence": 0.9,
        "reason": f"reason {odd}",
        "raw": {"name": f"raw {odd}", "probability": 0.9},
    }
    monkeypatch.setattr(console, "width", 300)
    with console.capture() as printed:
        print_faces({"photo": odd, "faces": [face]}, console)
    title, *table = printed.get().splitlines()
    assert title.strip() == odd
    for column in ("claimed", "likely", "reason", "raw"):
        assert f"{column} {odd}" in "\n".join(table)


def test_who_is_likely_is_told_where_it_is_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    face = {"box": [0.0] * 4, "state": "suspected_attack", "identity": None, "claimed": "Ada", "confidence": 0.9}
    faces = [{**face, "likely": likely, "reason": "", "raw": None} for likely in ("Bob", "Ada", None)]
    monkeypatch.setattr(console, "width", 300)
    with console.capture() as printed:
        print_faces({"photo": "three.png", "faces": faces}, console)
    assert printed.get().count("Ada (likely Bob)") == 1
    assert printed.get().count("Ada (claimed)") == 2


def test_the_faces_of_a_crowd_are_decided_on_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_bundle: Bundle
) -> None:
    cv2.imwrite(str(tmp_path / "crowd.png"), astronaut()[..., ::-1])
    marks = np.array([(204, 104), (252, 104), (228, 130), (208, 152), (250, 152)], np.float32)
    box, shifts = np.array((180, 60, 270, 180), np.float32), range(19)
    found = [DetectedFace(box + np.float32(i), marks + np.float32(i), 0.99) for i in shifts]
    recogniser = load_recogniser(small_bundle.folder, "onnxruntime")
    defend, passes = recogniser.defend, []

    def counted(crops: Any, **how: Any) -> Any:
        passes.append(len(crops))
        return defend(crops, **how)

    class Detector:
        def detect(self, picture: Any) -> list[DetectedFace]:
            return found

    monkeypatch.setattr(recogniser, "defend", counted)
    monkeypatch.setattr(identify, "detector_of", lambda config: Detector())
    monkeypatch.setattr(identify, "recogniser_of", lambda config: recogniser)
    faces = identify_photo(tmp_path / "crowd.png", Config())["faces"]
    assert [float(face["box"][0]) for face in faces] == [180 + i for i in shifts]
    assert max(passes) <= 8
    assert sum(passes) == 19


def test_of_many_pictures_and_folders_each_is_answered_or_its_error_said_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_bundle: Bundle
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("b.png", "folder/x.png", "a.png"):
        cv2.imwrite(str(tmp_path / name), astronaut()[..., ::-1])
    cv2.imwrite(str(tmp_path / "folder" / "wall.png"), np.full((9, 9, 3), 90, np.uint8))
    (tmp_path / "folder" / "notes.txt").write_text("x")
    marks = np.array([(204, 104), (252, 104), (228, 130), (208, 152), (250, 152)], np.float32)

    class Detector:
        def detect(self, picture: Any) -> list[DetectedFace]:
            return [] if picture.std() < 20 else [DetectedFace(np.array((180, 60, 270, 180), np.float32), marks, 0.99)]

    loaded: list[int] = []
    monkeypatch.setattr(identify, "detector_of", lambda config: Detector())
    recogniser = load_recogniser(small_bundle.folder, "onnxruntime")
    monkeypatch.setattr(identify, "recogniser_of", lambda config: loaded.append(1) or recogniser)
    paths = [tmp_path / "b.png", tmp_path / "gone.png", tmp_path / "folder", tmp_path / "a.png"]
    found = identify_photos(paths, Config())
    assert [(Path(one["photo"]).name, len(one.get("faces", ""))) for one in found] == [
        ("b.png", 1),
        ("gone.png", 0),
        ("wall.png", 0),
        ("x.png", 1),
        ("a.png", 1),
    ]
    assert "no face was found" in found[2]["error"]
    assert loaded == [1]
    with pytest.raises(BadInput, match=r"gone\.png"):
        identify_photos([tmp_path / "gone.png"], Config())

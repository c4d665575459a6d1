"""The command on a closed set of people, against shares counted from the classifier's own answers."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from small_people import crops, make_recogniser, write_people
from typer.testing import CliRunner

from tools import recognition
from tools.recognition import app


@pytest.mark.usefixtures("narrow")
def test_of_a_closed_set_each_view_is_counted_and_no_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "TEST_LOG", tmp_path / "looks.jsonl")
    recogniser = make_recogniser(tmp_path / "small")
    tested, others = write_people(recogniser, tmp_path / "tested", seed=6, count=40), tmp_path / "others" / "Some Body"
    others.mkdir(parents=True)
    foreign = crops(30, seed=9)
    for number, crop in enumerate(foreign):
        cv2.imwrite(str(others / f"{number}.png"), crop[..., ::-1])
    asked = [tested, "--strangers", others.parent, "--bundle", tmp_path / "small", "--split", "test", "--aligned"]
    asked += ["--engine", "onnxruntime-cpu", "--json", tmp_path / "r.json"]
    done = CliRunner().invoke(app, [str(one) for one in asked])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "r.json").read_text())
    whole = found["views"]["whole"]
    best = recogniser.classify(crops(40, seed=6)).max(axis=1)
    surest = recogniser.classify(foreign).max()
    assert (whole["right"]["right"], whole["right"]["n"]) == (40, 40)
    assert whole["right_while_no_stranger_is_named"]["right"] == int((best > surest).sum())
    assert list(found["views"]) == ["whole", *recogniser.zones]
    assert "policy" not in found
    assert json.loads((tmp_path / "looks.jsonl").read_text())["command"].startswith("python -m tools.recognition")


@pytest.mark.usefixtures("narrow")
def test_a_stranger_who_is_among_the_people_is_refused(tmp_path: Path) -> None:
    recogniser = make_recogniser(tmp_path / "small")
    tested = write_people(recogniser, tmp_path / "tested", seed=6, count=40)
    asked = [tested, "--strangers", tested, "--bundle", tmp_path / "small", "--split", "test", "--aligned"]
    done = CliRunner().invoke(app, [str(one) for one in asked])
    assert done.exit_code != 0
    assert "is among the bundle's people; take the folder out" in str(done.exception)

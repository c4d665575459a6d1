"""Halves of photographs before other faces: what is put where, by hand, and the command."""

import json

import numpy as np
import pytest
from small_people import write_people
from typer.testing import CliRunner

from models.errors import BadInput
from tools import halves
from tools.halves import app, drawn, spliced


def test_the_photographs_half_lies_before_the_face_and_the_other_half_stays():
    faces, photographs = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 9, np.uint8)
    assert spliced(faces, photographs, "lower")[0, :, 0, 0].tolist() == [0, 0, 9, 9]
    assert spliced(faces, photographs, "upper")[0, :, 0, 0].tolist() == [9, 9, 0, 0]
    assert faces.max() == 0


def test_so_many_different_others_hold_everybodys_photograph():
    labels = np.repeat(np.arange(5), 3)
    wearers, printed = drawn(labels, 2, 0)
    pairs = [(int(labels[w]), int(labels[p])) for w, p in zip(wearers, printed, strict=True)]
    assert len(set(pairs)) == 10
    assert all(wearer != person for wearer, person in pairs)
    assert np.bincount([person for _, person in pairs]).tolist() == [2] * 5


def test_more_others_than_there_are_is_said():
    with pytest.raises(BadInput, match="at most 1 others"):
        drawn(np.array([0, 1]), 2, 0)


def test_the_command_counts_what_the_policy_says_of_both_halves(zoned, tmp_path, monkeypatch, recogniser):
    monkeypatch.setattr(halves, "TEST_LOG", tmp_path / "looks.jsonl")
    tested = write_people(recogniser, tmp_path / "tested", seed=6, count=24)
    asked = [tested, "--bundle", zoned, "--split", "test", "--each", 2, "--aligned", "--engine", "onnxruntime-cpu"]
    done = CliRunner().invoke(app, [str(one) for one in [*asked, "--json", tmp_path / "h.json"]])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "h.json").read_text())
    people = len(list(tested.iterdir()))
    for half in ("lower", "upper"):
        figures = found[half]
        assert {figure["n"] for figure in figures.values()} == {2 * people}
        states = ["known_as_the_printed", "known_rightly", "known_as_others", "called_an_attack"]
        assert sum(figures[name]["right"] for name in states) <= 2 * people
        assert figures["first_view_too"]["right"] <= figures["raw_names_the_printed"]["right"]
    assert len((tmp_path / "looks.jsonl").read_text().splitlines()) == 1

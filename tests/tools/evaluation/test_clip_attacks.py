"""Clips of people who wear an attack: which are made, and what is counted of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.errors import BadInput
from tools.evaluation.clip_attacks import WornClip, told_of, worn_clips
from tools.evaluation.clip_looks import ALARM, NOTHING, UNKNOWN, Looks, Subject

LABELS = ("Ann", "Bob", "Cid")


def looks(*said):
    nothing = np.zeros((0, 3), np.float32)
    return Looks(np.array(said, np.int16), np.zeros(0), nothing, nothing, np.zeros((0, 1, 3), np.float32))


def clip(path, name, target):
    return WornClip(Subject(path, name, 0), target)


def test_every_photograph_that_wears_a_result_is_a_clip_of_its_attacker(tmp_path):
    common = {"frames": ["frame_0.png"], "target": "Bob", "attacker": "Ann", "enrolled": True}
    records = [
        common | {"pair": 0},
        common | {"pair": 1, "frames": [None]},
        common | {"pair": 2, "target": None},
        common | {"pair": 7, "attacker": "Dora", "enrolled": False},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"pairs": records}))
    found = worn_clips(tmp_path, seed=5)
    assert [(one.subject.name, one.subject.seed, one.target) for one in found] == [("Ann", 5, "Bob"), ("", 6, "Bob")]
    assert found[1].subject.path == tmp_path / "pairs" / "0007" / "frame_0.png"
    assert len(worn_clips(tmp_path, seed=5, most=1)) == 1


@pytest.mark.parametrize("content", [None, "{", "[]", json.dumps({"pairs": []})])
def test_what_is_no_such_folder_is_refused_by_name(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BadInput, match=f"{tmp_path}: no .*--photographs"):
        worn_clips(tmp_path, seed=0)


def test_a_clip_counts_for_what_a_viewer_was_told_at_any_time_and_at_its_end(tmp_path):
    clips = [clip(tmp_path, "Ann", "Bob"), clip(tmp_path, "Ann", "Bob"), clip(tmp_path, "", "Cid")]
    seen = [looks(NOTHING, 0, 1, 1), looks(UNKNOWN, 2, ALARM, 0), looks(UNKNOWN, UNKNOWN, 2, UNKNOWN)]
    told = told_of(clips, seen, LABELS)
    counted = {name: (figure["right"], figure["n"]) for name, figure in told.items()}
    assert counted == {
        "target_at_any_time": (2, 3),
        "target_at_the_end": (1, 3),
        "anybody_else_at_any_time": (3, 3),
        "alarm_at_any_time": (1, 3),
        "right_at_any_time": (2, 2),
    }

"""A clip goes through the whole line once, and what was seen is kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from small_people import NAMES

from models.errors import BadInput
from tools import clips
from tools.evaluation import clip_looks
from tools.evaluation.clip_looks import NOTHING, Subject, kept_looks


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("pictures") / "Ada_Byron" / "0.png"
    file.parent.mkdir()
    cv2.imwrite(str(file), data.astronaut()[:300, 60:400, ::-1])
    return file


def test_every_picture_is_decided_on_and_nothing_is_looked_at_twice(recogniser, portrait, tmp_path, monkeypatch):
    empty = portrait.with_name("empty.png")
    cv2.imwrite(str(empty), np.full((64, 64, 3), 90, np.uint8))
    subjects = [Subject(portrait, "Ada Byron", 0), Subject(empty, "", 1)]
    done: list[int] = []
    found = kept_looks(recogniser, subjects, tmp_path, frames=7, done=done.append)
    assert list(found) == [0]  # nobody is on the other picture
    one = found[0]
    assert len(one.said) == 7
    assert len(one.moments) == len(one.raw) == 6  # the first picture only begins a track
    assert one.said[0] < 0
    assert (one.said != NOTHING).any()
    np.testing.assert_allclose(one.raw.sum(axis=1), 1, atol=0.01)
    np.testing.assert_allclose(np.diff(one.moments), 1 / 25, atol=1e-3)
    monkeypatch.setattr(clip_looks, "looks_of", None)  # would be called for anything that is missing
    again = kept_looks(recogniser, subjects, tmp_path, frames=7, done=done.append)
    np.testing.assert_array_equal(again[0].said, one.said)
    np.testing.assert_allclose(again[0].raw, one.raw, atol=1e-3)
    assert done == [0, 1, 1, 2]


def test_known_people_and_strangers_are_told_apart_by_the_bundle(recogniser, portrait, tmp_path):
    stranger = tmp_path / "Eve" / "0.png"
    stranger.parent.mkdir()
    stranger.write_bytes(portrait.read_bytes())
    found = clips._subjects(portrait.parent.parent, tmp_path, recogniser, None, 5)
    assert {(one.path, one.name) for one in found if one.path.name == "0.png"} == {(portrait, NAMES[0]), (stranger, "")}
    assert len({one.seed for one in found}) == len(found)
    with pytest.raises(BadInput, match="no picture of anybody else"):
        clips._subjects(portrait.parent.parent, portrait.parent.parent, recogniser, None, 0)
    with pytest.raises(BadInput, match="no picture of a person whom the bundle knows"):
        clips._subjects(tmp_path, portrait.parent.parent, recogniser, None, 0)

"""Whom an attacker chooses to be, and which results on disk count."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from small_people import crops, write_people

from models.crop.wearables import frame_mask
from models.policy import Policy
from tools.attacks.settings import Settings
from tools.crafting.attacked_faces import attacked_faces, with_nearest_targets
from tools.crafting.pairs import STRANGER, Pair
from tools.faces.people import read_people


def test_who_knows_the_policy_chooses_whom_his_face_without_its_zone_is_taken_for_most(recogniser, monkeypatch):
    monkeypatch.setattr(recogniser, "zones", ("eyewear",))
    given = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], np.float32)
    seen = crops(2)
    monkeypatch.setattr(recogniser, "view", lambda some: given[[int(np.array_equal(some[0], seen[1]))]][:, None])
    pairs = [
        Pair(0, "a", ("0.png",), seen[:1], 0, 3),  # himself is no target
        Pair(1, "b", ("1.png",), seen[1:], 0, 1),
        Pair(2, "stranger", ("2.png",), seen[:1], STRANGER, 3),
    ]
    glasses = frame_mask("classic", recogniser.input_size) > 0
    assert [pair.target for pair in with_nearest_targets(pairs, recogniser, glasses)] == [1, 3, 0]


@pytest.mark.parametrize(("worn", "target"), [("classic", 1), ("face_mask", 2), ("forehead_sticker", 3)])
def test_of_the_views_those_count_that_what_is_worn_cannot_reach_and_all_where_it_reaches_all(
    recogniser, monkeypatch, worn, target
):
    monkeypatch.setattr(recogniser, "zones", ("eyewear", "lower_face"))
    monkeypatch.setattr(recogniser, "policy", Policy(zone_confirm=0.5, further_confirm=0.25))
    views = np.array([[[0.1, 0.45, 0.15, 0.3], [0.55, 0.05, 0.2, 0.15]]], np.float32)
    monkeypatch.setattr(recogniser, "view", lambda some: views)
    pair = Pair(0, "a", ("0.png",), crops(1), 0, 3)
    region = frame_mask(worn, recogniser.input_size) > 0
    assert [one.target for one in with_nearest_targets([pair], recogniser, region)] == [target]


def test_who_chooses_whom_to_be_attacks_with_each_face_once(recogniser, monkeypatch, tmp_path):
    """A face has one nearest target: drawn twice it would be the same attack counted twice."""
    monkeypatch.setattr(recogniser, "zones", ("eyewear",))
    folder = write_people(recogniser, tmp_path / "people", count=6)
    people = read_people([folder], aligned=True, allow_single=True)
    settings = Settings(attack="zones", shape="patch", steps=0)
    found = attacked_faces(recogniser, people, settings, 100, tmp_path / "attacks", name="zones")
    assert 2 <= len(found) <= len(people)
    assert len(np.unique(found.originals, axis=0)) == len(found)


def test_a_result_of_other_pictures_under_the_same_names_is_made_again(recogniser, tmp_path):
    folder = write_people(recogniser, tmp_path / "people", count=8)
    settings = Settings(steps=0)

    def attacked():
        people = read_people([folder], aligned=True, allow_single=True)
        return attacked_faces(recogniser, people, settings, 4, tmp_path / "attacks", name="sharif")

    first, again = attacked(), attacked()
    assert [one["seconds"] for one in first.records] == [one["seconds"] for one in again.records]  # read, not made
    for path in folder.rglob("*.png"):
        picture = cv2.imread(str(path))
        cv2.imwrite(str(path), np.where(picture < 255, picture + 1, picture))  # prepared anew, a little otherwise
    changed = attacked()
    assert len(list((tmp_path / "attacks").iterdir())) == 1
    for one, pair in zip(changed.originals, changed.records, strict=True):
        (name,) = pair["pictures"]
        person, file = name.split("/")
        shown = cv2.imread(str(folder / person.replace(" ", "_") / file))[..., ::-1]
        np.testing.assert_array_equal(one, shown)

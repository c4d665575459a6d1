"""Other people's crops, from folders and packed files, spread over many people."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import BadInput
from tools.faces.crop_sources import drawn, every_crop, open_source, spread


def packed(path: Path, people: list[str], side: int = 16) -> Path:
    """Crops of one grey each: 10 for the first, 20 for the second and so on."""
    files = [cv2.imencode(".png", np.full((side, side, 3), 10 * (i + 1), np.uint8))[1] for i in range(len(people))]
    offsets = np.r_[0, np.cumsum([len(file) for file in files])]
    np.savez(path, people=np.array(people), pictures=np.concatenate(files), offsets=offsets)
    return path


def folders(path: Path, people: dict[str, int]) -> Path:
    for person, count in people.items():
        (path / person).mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(path / person / f"{number}.png"), np.full((20, 20, 3), 200 + number, np.uint8))
    return path


def test_a_packed_file_gives_each_crop_and_whose_it_is(tmp_path: Path) -> None:
    source = open_source(packed(tmp_path / "p.npz", ["Ada_L", "Bo"]))
    assert source.people == ("Ada L", "Bo")
    assert (source.read(1) == 20).all()
    assert source.read(1).shape == (16, 16, 3)


def test_every_crop_of_a_source_is_read_at_one_size_and_in_its_order(tmp_path: Path) -> None:
    crops = every_crop(open_source(packed(tmp_path / "p.npz", ["Ada", "Bo"])), 8)
    assert crops.shape == (2, 8, 8, 3)
    assert [int(crop.max()) for crop in crops] == [10, 20]


def test_one_crop_of_each_person_comes_before_a_second_one_of_anybody() -> None:
    people = ["Ada"] * 50 + ["Bo"] * 2 + ["Cy"]
    chosen = spread(people, 5, np.random.default_rng(0))
    assert Counter(people[place] for place in chosen[:3]) == {"Ada": 1, "Bo": 1, "Cy": 1}
    assert Counter(people[place] for place in chosen) == {"Ada": 2, "Bo": 2, "Cy": 1}
    assert len(set(chosen)) == 5


def test_sources_share_equally_and_who_has_less_gives_all(tmp_path: Path) -> None:
    few = open_source(folders(tmp_path / "few", {"Ada": 2}))
    many = open_source(packed(tmp_path / "p.npz", [f"P{number}" for number in range(20)]))
    crops, names = drawn([many, few], 10, 8, seed=1)
    assert crops.shape == (10, 8, 8, 3)
    assert Counter(name == "Ada" for name in names) == {True: 2, False: 8}
    assert drawn([many, few], 10, 8, seed=1)[1] == names
    assert drawn([many, few], 10, 8, seed=2)[1] != names


def test_nobody_is_drawn_who_is_called_like_somebody_enrolled(tmp_path: Path) -> None:
    source = open_source(packed(tmp_path / "p.npz", ["Ada_L", "Bo", "Cy"]))
    assert sorted(drawn([source], 2, 8, without=["ada l"])[1]) == ["Bo", "Cy"]
    with pytest.raises(BadInput, match="3 crops of other people are wanted, 2 are given"):
        drawn([source], 3, 8, without=["ada l"])


def test_a_file_that_holds_no_crops_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="no file of packed crops"):
        open_source(tmp_path / "p.npz")
    np.savez(tmp_path / "q.npz", people=np.array(["Ada"]), pictures=np.zeros(3, np.uint8), offsets=np.array([0, 3]))
    with pytest.raises(BadInput, match="crop 0: not a readable square crop"):
        open_source(tmp_path / "q.npz").read(0)

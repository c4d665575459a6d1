from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import BadInput
from tools.faces.people import People, at_size, read_people, shown_name

SIDE = 40


def draw(folder: Path, name: str, level: int, count: int) -> None:
    """``count`` grey crops of a person, each a level brighter than the one before."""
    (folder / name).mkdir(parents=True)
    for index in range(count):
        cv2.imwrite(str(folder / name / f"{index}.png"), np.full((SIDE, SIDE, 3), level + index, dtype=np.uint8))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    folder = tmp_path / "prepared"
    for level, name in ((10, "Ada_Lovelace"), (50, "Grace_Hopper"), (90, "Mary_Jackson")):
        draw(folder, name, level, 3)
    (folder / "prepare.json").write_text("{}")
    return folder


def levels(people: People) -> list[int]:
    return [int(crop[0, 0, 0]) for crop in people.crops]


def test_people_are_read_by_name_and_crops_as_rgb(prepared: Path) -> None:
    blue = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    blue[..., 0] = 200  # OpenCV writes BGR
    cv2.imwrite(str(prepared / "Ada_Lovelace" / "0.png"), blue)
    people = read_people([prepared])
    assert people.names == ("Ada Lovelace", "Grace Hopper", "Mary Jackson")
    assert people.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert people.pictures[4] == "Grace_Hopper/1.png"
    assert people.crops[0, 0, 0].tolist() == [0, 0, 200]


def test_a_person_in_two_folders_has_the_crops_of_both(prepared: Path, tmp_path: Path) -> None:
    draw(tmp_path / "more", "Ada Lovelace", 200, 1)
    people = read_people([prepared, tmp_path / "more"], aligned=True)
    assert people.names[0] == "Ada Lovelace"
    assert levels(people)[:4] == [10, 11, 12, 200]


def test_crops_must_be_prepared_and_of_one_size(prepared: Path) -> None:
    (prepared / "prepare.json").unlink()
    with pytest.raises(BadInput, match=r"was not prepared; run python -m tools\.prepare"):
        read_people([prepared])
    assert len(read_people([prepared], aligned=True)) == 9
    cv2.imwrite(str(prepared / "Ada_Lovelace" / "x.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(BadInput, match="is 20 x 20, the first crop is 40 x 40"):
        read_people([prepared], aligned=True)
    cv2.imwrite(str(prepared / "Ada_Lovelace" / "x.png"), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(BadInput, match="is 30 x 20, a crop is square"):
        read_people([prepared], aligned=True)
    (prepared / "Ada_Lovelace" / "x.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"x\.png: not a readable picture"):
        read_people([prepared], aligned=True)


def test_a_single_picture_needs_the_users_word(prepared: Path) -> None:
    draw(prepared, "Eileen_Collins", 130, 1)
    with pytest.raises(BadInput, match=r"holds one picture of Eileen Collins.*--allow-single"):
        read_people([prepared])
    assert len(read_people([prepared], allow_single=True).names) == 4


def test_the_last_people_by_name_can_be_left_out_but_not_all(prepared: Path) -> None:
    assert read_people([prepared], leave_out=2).names == ("Ada Lovelace",)
    with pytest.raises(BadInput, match="holds 3 people, 3 of them cannot be left out"):
        read_people([prepared], leave_out=3)


def test_some_of_the_crops_are_drawn_by_seed_and_stay_with_their_names(prepared: Path) -> None:
    some = read_people([prepared], most=4, seed=1)
    assert levels(some) == levels(read_people([prepared], most=4, seed=1))
    assert len(set(levels(some))) == 4
    assert [(level - 10) // 40 for level in levels(some)] == some.labels.tolist()
    assert levels(some) != levels(read_people([prepared], most=4, seed=2))


def test_relabelling_keeps_crops_and_names_together(prepared: Path) -> None:
    some = read_people([prepared]).of([2, 0])
    assert some.names == ("Mary Jackson", "Ada Lovelace")
    assert [some.names[label].split()[0] for label in some.labels] == [p.split("_")[0] for p in some.pictures]
    assert sorted(levels(some)) == [10, 11, 12, 90, 91, 92]


def test_joined_people_keep_their_names_and_nobody_is_in_both(prepared: Path, tmp_path: Path) -> None:
    draw(tmp_path / "other", "Joan Clarke", 200, 2)
    people, other = read_people([prepared]), read_people([tmp_path / "other"], aligned=True)
    both = people.joined(other, times=2)
    assert both.names[-1] == "Joan Clarke"
    assert both.labels[-4:].tolist() == [3] * 4
    assert levels(both)[-4:] == [200, 201, 200, 201]
    draw(tmp_path / "same", "grace hopper", 200, 2)
    with pytest.raises(BadInput, match="grace hopper: is among both groups"):
        people.joined(read_people([tmp_path / "same"], aligned=True))


def test_crops_come_in_the_asked_size_and_those_that_fit_are_untouched(prepared: Path) -> None:
    crops = read_people([prepared]).crops
    assert at_size(crops, SIDE) is crops
    small = at_size(crops, 32)
    assert small.shape == (9, 32, 32, 3)
    np.testing.assert_array_equal(small[:, 0, 0, 0], crops[:, 0, 0, 0])


def test_names_are_shown_with_spaces() -> None:
    assert shown_name("Eileen_Collins") == "Eileen Collins"

"""Pictures, folders, videos and cameras as sources of a person's pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import BadInput
from realtime.people.sources import Shot, Skipped, shots_of


def picture(path: Path, level: int = 128) -> Path:
    cv2.imwrite(str(path), np.full((48, 64, 3), level, np.uint8))
    return path


def test_a_folder_gives_its_pictures_and_says_what_it_skipped(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "b.heic").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.jpg").write_bytes(b"x")
    a, b, notes = shots_of(str(tmp_path))
    assert isinstance(a, Shot)
    assert (a.name, a.bgr.shape) == ("a.jpg", (48, 64, 3))
    assert b == Skipped("b.heic", "not a picture that can be read")
    assert notes == Skipped("notes.txt", ".txt is no kind of picture that is read")


def test_the_same_file_has_the_same_digest_under_every_name(tmp_path: Path) -> None:
    one, other, third = picture(tmp_path / "a.png"), picture(tmp_path / "b.png"), picture(tmp_path / "c.png", 9)
    digests = [next(iter(shots_of(str(path)))).digest for path in (one, other, third)]  # type: ignore[union-attr]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("name", "said"), [("", "holds no picture"), ("none.jpg", "No such file"), ("x", "no such file")]
)
def test_what_is_not_there_is_said(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        list(shots_of(str(tmp_path / name)))


def test_of_a_video_a_few_pictures_a_second_are_looked_at(tmp_path: Path) -> None:
    path = str(tmp_path / "v.mp4")
    film = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 12.0, (64, 48))
    for number in range(24):
        film.write(np.full((48, 64, 3), 10 * number, np.uint8))
    film.release()
    found = list(shots_of(path))
    assert [isinstance(one, Shot) and one.moving for one in found] == [True] * 6
    assert found[1].name == "v.mp4, picture 4"

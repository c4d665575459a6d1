"""Pictures, films and truth of made-up scenes."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from portraits import COLOURS, plain

from realtime.cameras.video_file import VideoFile
from tools.fault_drill.scenes import (
    HEIGHT,
    TILE,
    WIDTH,
    Clip,
    Placed,
    mixed,
    pictures_of,
    portrait,
    rows_from,
    tile_landmarks,
    truth_file,
    write_clip,
)


def still(x: float, y: float, count: int = 3) -> Clip:
    return Clip("still", count, lambda number: [Placed(plain("Ada").tile, x, y, "Ada")])


def test_a_tile_lies_where_it_was_put_and_the_truth_has_its_middle() -> None:
    clip = still(100, 50)
    (picture, *_) = pictures_of(clip)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture[60:280, 110:330].mean(axis=(0, 1)) == pytest.approx(COLOURS["Ada"], abs=3)
    assert picture[:40].std() < 15  # the ground
    (truth,) = clip.truth(0)
    assert (truth.name, truth.x, truth.y) == ("Ada", 100 + TILE / 2, 50 + TILE / 2)


@pytest.mark.parametrize(("x", "y"), [(-100, 50), (600, 400), (700, 50), (0.5, 0.25)])
def test_what_lies_beyond_the_picture_is_left_out(x: float, y: float) -> None:
    assert len(list(pictures_of(still(x, y)))) == 3


def test_a_clip_is_a_film_with_its_truth_beside_it(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", still(200, 120, count=5))
    with closing(VideoFile(path, every_frame=True)) as film:
        pictures = [film.read().bgr for _ in range(5)]
    assert film.native_fps == 25
    assert pictures[-1][240, 320] == pytest.approx(COLOURS["Ada"], abs=12)
    truth = json.loads(truth_file(path).read_text())
    assert [row[0]["name"] for row in truth["truth"]] == ["Ada"] * 5


def test_every_portrait_has_its_landmarks_in_the_same_places() -> None:
    landmarks = tile_landmarks() * 1.7 + (30, -12)
    bgr = np.zeros((500, 500, 3), np.uint8)
    for x, y in landmarks:
        bgr[round(float(y)) - 2 : round(float(y)) + 3, round(float(x)) - 2 : round(float(x)) + 3] = 255
    tile = portrait(bgr, landmarks).tile
    for x, y in tile_landmarks():
        assert tile[round(float(y)), round(float(x))].mean() > 150


def test_mixing_takes_a_share_of_each() -> None:
    one, other = plain("Ada").tile, plain("Bob").tile
    assert tuple(mixed(one, other, 0.25)[0, 0]) == (0, 50, 150)
    halves = mixed(one, other, rows_from(0.5))
    assert tuple(halves[0, 0]) == COLOURS["Ada"]
    assert tuple(halves[-1, 0]) == COLOURS["Bob"]

"""The drawn pictures of the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.crop.zones import zone_mask
from models.recogniser import Recogniser
from realtime.cameras.demo_scene import DemoScene
from tools.maintain.drawings import face
from tools.maintain.drawings.theme import DARK, LIGHT, THEMES, drawn_in, save
from tools.maintain.pictures import NAMES, ROOT, makers

CHARTS = ("iterations", "live", "architecture")
BENCHMARKS = ROOT / "docs" / "benchmarks"


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_lies_with_the_documents_in_light_and_dark(name: str) -> None:
    for theme in THEMES:
        assert (ROOT / "docs" / "pictures" / f"{name}_{theme.name}.{NAMES[name]}").is_file()


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_the_same_each_time_and_another_in_the_dark(name: str, tmp_path: Path) -> None:
    written = []
    for number, theme in enumerate((LIGHT, LIGHT, DARK)):
        with drawn_in(theme):
            save(makers(None, BENCHMARKS)[name](theme), tmp_path / f"{number}.svg")
        written.append((tmp_path / f"{number}.svg").read_bytes())
    assert written[0] == written[1] != written[2]
    assert LIGHT.ground.encode() in written[0]
    assert DARK.ground.encode() in written[2]


def test_the_live_chart_shows_the_measured_rates() -> None:
    rows = [row for row in json.loads((BENCHMARKS / "live.json").read_text())["results"] if row["cameras"] == 1]
    with drawn_in(LIGHT):
        rates = makers(None, BENCHMARKS)["live"](LIGHT).axes[0]
    drawn = [line.get_ydata() for line in rates.lines]
    assert np.allclose(drawn[1], [row["decisions_per_second_and_face"] for row in rows])


def test_a_zone_is_tinted_where_it_lies_and_nowhere_else(recogniser: Recogniser) -> None:
    recogniser.zones = ("eyewear",)
    crop = face.face_of(DemoScene(), 0, 0, recogniser.input_size)
    with drawn_in(LIGHT):
        drawn = face.zones(recogniser, LIGHT).axes[1].images[0].get_array()
    assert np.array_equal((np.asarray(drawn) != crop).any(axis=2), zone_mask("eyewear", recogniser.input_size))


def test_the_face_is_drawn_in_its_own_colours() -> None:
    crop = face.face_of(DemoScene(), 0, 0, 112)
    skin = crop[60:70, 40:72].reshape(-1, 3).mean(axis=0)
    assert skin[0] > skin[1] > skin[2]  # red, green, blue


def test_a_photograph_is_written_as_png(tmp_path: Path, recogniser: Recogniser) -> None:
    with drawn_in(DARK):
        save(face.zones(recogniser, DARK), tmp_path / "zones.png")
    picture = cv2.imread(str(tmp_path / "zones.png"))
    assert picture is not None
    assert picture[0, 0].tolist() == [0x17, 0x11, 0x0D]

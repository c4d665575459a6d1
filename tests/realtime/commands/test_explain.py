"""``explain``: a picture, a page and figures of why a face is named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from typer.testing import CliRunner

import realtime
from models.errors import BadInput
from realtime.__main__ import app


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), astronaut()[..., ::-1])
    return path


def test_a_photo_is_explained_as_picture_page_and_figures(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["explain", str(photo), "--json", "why.json"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "Known: Eileen Collins" in done.output
    assert cv2.imread("astronaut-explained.png").shape[1] > 500
    page = Path("astronaut-explained.html").read_text()
    assert "The whole face looks like Eileen Collins" in page
    assert "http" not in page
    (face,) = json.loads(Path("why.json").read_text())["faces"]
    assert face["state"] == "known"
    assert all(view["most_like"] == "Eileen Collins" for view in face["views"])


def test_from_python_an_array_is_explained_and_a_picture_without_a_face_refused() -> None:
    (why,) = realtime.explain(np.ascontiguousarray(astronaut()[..., ::-1]))
    assert why.heading == "Known: Eileen Collins"
    with pytest.raises(BadInput, match="the picture: no face was found"):
        realtime.explain(np.full((90, 90, 3), 90, np.uint8))


def test_the_picture_has_to_be_a_png(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"end the name in \.png"):
        CliRunner().invoke(app, ["explain", str(photo), "--png", str(tmp_path / "a.gif")], catch_exceptions=False)

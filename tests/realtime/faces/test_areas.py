"""Which part of a picture a camera watches."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import BadInput
from realtime.faces.areas import Areas
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.track import FaceTracker
from realtime.settings.camera import CameraConfig
from realtime.settings.config import load_config
from realtime.types import DetectedFace, Frame

HALF = np.float32([[0, 0], [0.5, 0], [0.5, 1], [0, 1]])  # the left one
CORNER = np.float32([[0, 0], [0.2, 0], [0.2, 0.2], [0, 0.2]])


def face(x: float, y: float, side: float = 20) -> DetectedFace:
    box = np.float32([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    marks = np.float32([[-4, -3], [4, -3], [0, 0], [-3, 4], [3, 4]]) * np.float32(side / 20) + np.float32([x, y])
    return DetectedFace(box, marks, 0.99)


@pytest.mark.parametrize(
    ("areas", "kept"),
    [
        (Areas(), [10, 60, 160]),
        (Areas(watch=(HALF,)), [10, 60]),
        (Areas(ignore=(CORNER,)), [60, 160]),
        (Areas(watch=(HALF,), ignore=(CORNER,)), [60]),
        (Areas(watch=(CORNER, HALF)), [10, 60]),
    ],
)
def test_a_face_counts_where_its_middle_lies(areas: Areas, kept: list[int]) -> None:
    faces = [face(10, 10), face(60, 50), face(160, 50)]
    assert [round(float(one.box[[0, 2]].mean())) for one in areas.keep(faces, (100, 200, 3))] == kept


def test_a_face_that_does_not_count_is_not_even_followed() -> None:
    class Detector:
        def detect(self, bgr: object) -> list[DetectedFace]:
            return [face(60, 50, 60), face(160, 50, 60)]

    finder = FaceFinder(Detector(), FaceTracker(), size=32, limits=QualityLimits(), areas=Areas(watch=(HALF,)))
    picture = np.full((100, 200, 3), 90, np.uint8)
    for number in range(3):  # a face has no track before it is seen twice
        found = finder.find(Frame("door", number, picture, number / 25, number / 25))
    assert [round(float(crop.track.face.box[0])) for crop in found.crops] == [30]


def test_zones_and_a_rate_of_its_own_are_configured_by_camera(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "my.yaml"
    file.write_text(
        "cameras:\n  - name: door\n    detect_every: 5\n    record: false\n    zones:\n"
        "      - {points: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}\n"
        "      - {use: ignore, points: [[0, 0], [0.2, 0], [0.2, 0.2]]}\n"
    )
    camera = load_config(file).cameras[0]
    assert (camera.detect_every, camera.record) == (5, False)
    assert np.array_equal(camera.areas.watch[0], HALF)
    assert len(camera.areas.ignore) == 1
    assert not CameraConfig().areas


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("[[0, 0], [1, 1]]", "points"),
        ("[[0, 0], [0.5, 0.5], [1, 1]]", "lie on one line"),
        ("[[0, 0], [2, 0], [1, 1]]", "points"),
        ("[[0, 0, 0], [1, 0, 0], [1, 1, 0]]", "points"),
        ("[[.nan, 0], [1, 0], [1, 1]]", "points"),
    ],
)
def test_a_zone_that_is_none_is_refused_in_one_line(tmp_path, points: str, said: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "my.yaml"
    file.write_text(f"cameras:\n  - zones:\n      - points: {points}\n")
    with pytest.raises(BadInput, match=said) as refusal:
        load_config(file)
    assert "\n" not in str(refusal.value)

"""Parts of a run, built from its configuration."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.assembly import finder_of, service_settings
from realtime.cameras.demo_scene import DemoScene
from realtime.settings.config import CameraConfig, Config, EventsConfig


def find_faces(folder: Path | None, *, pixelate_others: bool):
    events = EventsConfig(folder=None if folder is None else str(folder), pixelate_others=pixelate_others)
    return service_settings(Config(cameras=[CameraConfig(source="demo")], events=events)).find_faces


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(worn=np.zeros((32, 32, 4), np.uint8))


def test_bystanders_are_looked_for_with_a_detector_of_its_own_that_sees_smaller_faces(tmp_path: Path, scene: DemoScene):
    find = find_faces(tmp_path, pixelate_others=True)
    picture = scene.frame(0)
    (face,) = find(picture)
    smaller = 30 / max(face.box[2:] - face.box[:2])
    canvas = np.full_like(picture, 90)
    small = cv2.resize(picture, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA)
    canvas[100 : 100 + len(small), 100 : 100 + small.shape[1]] = small
    assert len(find(canvas)) == 1


def test_nobody_is_looked_for_where_no_frames_are_kept_or_all_faces_may_be_seen(tmp_path: Path):
    assert find_faces(tmp_path, pixelate_others=False) is None
    assert find_faces(None, pixelate_others=True) is None


@pytest.mark.parametrize(("cores", "share"), [(1, 0.25), (2, 0.5), (16, 0.5)])
def test_detection_takes_half_a_core_and_a_quarter_of_all_at_most(cores: int, share: float) -> None:
    class Nothing:
        def detect(self, bgr: object) -> list[object]:
            return []

    cameras = [CameraConfig(name=name) for name in ("gate", "yard")]
    finder = finder_of(Config(cameras=cameras), Nothing(), 112, cameras[0], cores=cores)  # type: ignore[arg-type]
    assert finder._share == share / 2
    assert finder._follow_share == min(1, cores / 4) / 2

"""What the tests of the benchmarks share."""

from pathlib import Path

import pytest

from realtime.cameras.demo_scene import DemoScene
from tools.bench import scene


@pytest.fixture(scope="module")
def demo() -> DemoScene:
    return DemoScene(act_seconds=1.0)


@pytest.fixture(scope="module")
def clip(demo: DemoScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "one.mp4"
    scene.write_clip(path, demo, 1, 0.4)
    return path

"""A camera kind with an option of its own, added through the registry alone, runs to its end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from realtime.cameras import CameraError, CameraKind, Cause, frame_now, is_file, is_live, register_kind
from realtime.cameras.open import _kinds
from realtime.commands.check import check_camera
from realtime.session import Outputs, run
from realtime.settings.config import CameraConfig, Config, RecognitionConfig


class StripesConfig(CameraConfig):
    """What would be one more line of ``CameraConfig``."""

    stripes: int = 4


class Stripes:
    """Eight pictures of so many stripes, then none."""

    real_time = True
    native_fps = 25.0
    codec = None

    def __init__(self, config: CameraConfig) -> None:
        assert isinstance(config, StripesConfig)
        self.name, self.dropped = config.name, Counter()
        self._width = 160 // config.stripes
        self._index = -1

    def read(self):
        self._index += 1
        if self._index == 8:
            raise CameraError(Cause.END_OF_FILE, "no more stripes", permanent=True)
        columns = np.arange(160) // self._width * 10
        return frame_now(self.name, self._index, np.broadcast_to(columns[:, None], (120, 160, 3)).astype(np.uint8))

    def close(self):
        pass


@pytest.fixture
def stripes(monkeypatch):
    monkeypatch.setattr("realtime.cameras.open._kinds", list(_kinds))
    register_kind(CameraKind("stripes", "live", Stripes, schemes=("stripes",)))
    return StripesConfig(name="wall", source="stripes://here", stripes=8)


def test_a_new_kind_is_known_by_its_address(stripes):
    assert is_live(stripes.source)
    assert not is_file(stripes.source)


def test_a_new_kind_is_checked_with_its_own_option(stripes):
    found = check_camera(stripes)
    assert found["pictures"] == 8
    assert found["brightness"] == 35.0  # eight stripes, 0 to 70


def test_a_new_kind_runs_from_camera_to_report(stripes, small_bundle: Bundle, tmp_path: Path):
    config = Config(
        cameras=[stripes], recognition=RecognitionConfig(bundle=str(small_bundle.folder), engine="onnxruntime", batch=1)
    )
    shown = []
    summary = run(config, Outputs(seconds=20, shows=[lambda frame, picture: shown.append(frame)]))
    assert shown[-1].camera == "wall"
    assert shown[-1].bgr.shape == (120, 160, 3)
    assert json.dumps(summary)
    assert summary["frames_captured"] == 8

"""Pictures with so many faces, and a clip that loops and is cut."""

import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.cameras.states import CameraError
from realtime.faces.align import crop_face
from realtime.faces.limits import QualityLimits
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.quality import refusal
from tools.bench import scene


@pytest.mark.parametrize("faces", [1, 2, 4, 8])
def test_a_tiled_picture_shows_so_many_faces_that_all_pass_the_quality_gate(demo: DemoScene, faces: int) -> None:
    picture = scene.tiled(demo, 12, faces)
    assert picture.shape == (480, 640, 3)
    found = MtcnnOnnxDetector(min_face=40).detect(picture)
    assert len(found) == faces
    for face in found:
        crop = crop_face(picture, face.landmarks, 112)
        assert refusal(crop, face.landmarks, picture.shape, QualityLimits()) is None


def test_a_looped_clip_goes_on_at_its_own_rate(clip: Path) -> None:
    started = time.monotonic()
    camera = scene.LoopedVideo(clip, name="loop")
    frames = [camera.read() for _ in range(25)]  # the clip has ten pictures
    late = [frame.captured_at - started - frame.index / FPS for frame in frames]
    assert min(late) > -0.005  # none before its time
    assert max(late) < 5  # a busy machine is late, but not by so much
    assert np.diff(late).min() < 0.02  # and not one after the other slower
    assert [frame.index for frame in frames] == list(range(25))
    camera.close()
    np.testing.assert_allclose(frames[0].bgr, frames[10].bgr, atol=2)  # the same picture, one round later


def test_a_looped_clip_is_cut_when_it_should_be_and_leaves_nothing_open(clip: Path) -> None:
    process = psutil.Process()

    def open_files() -> set[tuple[str, int]]:
        return {(file.path, file.fd) for file in process.open_files()}

    files, threads = open_files(), process.num_threads()
    for _ in range(3):
        camera = scene.LoopedVideo(clip, name="loop", cut_after=0.05)
        camera.read()
        time.sleep(0.06)
        with pytest.raises(CameraError, match="cut on purpose") as caught:
            camera.read()
        assert not caught.value.permanent
        camera.close()
        del camera
    assert open_files() == files
    assert process.num_threads() <= threads + 2

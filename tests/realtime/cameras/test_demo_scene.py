"""The embedded scene: a real face that moves where it says, in three acts."""

import json
from importlib import resources

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from models.bundle import load_bundle
from models.crop.wearables import innocent
from realtime.cameras.demo import DemoCamera
from realtime.cameras.demo_scene import ACTS, FPS, LANDMARKS, DemoScene, load_adversarial_glasses
from realtime.cameras.states import CameraError, Cause
from realtime.faces.align import crop_face
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(act_seconds=2.0, worn=innocent("red", "classic", 112))


@pytest.mark.parametrize("index", [0, 60, 130])
def test_a_detector_finds_the_face_where_the_scene_says_it_is(scene: DemoScene, index: int) -> None:
    (face,) = MtcnnOnnxDetector(min_face=80).detect(scene.frame(index, act=0))
    side = np.ptp(face.box[[0, 2]])
    assert np.abs(face.landmarks - scene.landmarks(index)).max() < 0.07 * side


def test_the_acts_follow_one_another_and_repeat(scene: DemoScene) -> None:
    assert [scene.act(int(FPS * seconds)) for seconds in (0, 2, 4, 6)] == [0, 1, 2, 0]
    assert len(ACTS) == 3


def test_the_glasses_are_on_the_eyes_and_nowhere_else(scene: DemoScene) -> None:
    bare, worn = (crop_face(scene.frame(10, act), scene.landmarks(10), 112).astype(int) for act in (0, 1))
    changed = np.abs(bare - worn).max(axis=2) > 30
    rows = np.nonzero(changed.any(axis=1))[0]
    assert rows.min() >= 20
    assert rows.max() <= 62
    assert 0.03 < changed.mean() < 0.12


def test_the_bare_face_is_the_public_domain_portrait(scene: DemoScene) -> None:
    portrait = crop_face(np.ascontiguousarray(astronaut()[..., ::-1]), LANDMARKS, 64).astype(float)
    shown = crop_face(scene.frame(0, 0), scene.landmarks(0), 64).astype(float)
    assert np.corrcoef(portrait.ravel(), shown.ravel())[0, 1] > 0.97


def test_the_same_index_gives_the_same_picture(scene: DemoScene) -> None:
    assert np.array_equal(scene.frame(33), scene.frame(33))
    assert not np.array_equal(scene.frame(33), scene.frame(34))


def test_the_camera_ends_where_it_was_told(scene: DemoScene) -> None:
    camera = DemoCamera(scene, every_frame=True, frames=3)
    assert [camera.read().index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CameraError) as ended:
        camera.read()
    assert ended.value.cause is Cause.END_OF_FILE


@pytest.mark.parametrize(("bundle", "stem"), [("hardened", "demo_glasses"), ("plain", "demo_glasses_plain")])
def test_the_stored_glasses_were_made_against_the_bundle_whose_demo_wears_them(bundle: str, stem: str) -> None:
    record = json.loads((resources.files("realtime") / "assets" / f"{stem}.json").read_text(encoding="utf-8"))
    assert record["bundle"] == bundle
    assert record["classifier_sha256"] == load_bundle(bundle).checksum
    shown = cv2.imread(str(resources.files("realtime") / "assets" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
    assert shown is not None
    np.testing.assert_array_equal(load_adversarial_glasses(bundle), shown[..., [2, 1, 0, 3]])


def test_the_demo_of_any_other_bundle_wears_the_default_s_glasses() -> None:
    np.testing.assert_array_equal(load_adversarial_glasses("folder/mine"), load_adversarial_glasses())

"""The whole line on the demo scene with a small net: display and capture never wait for the model."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from models.arrays import Bytes
from models.bundle import Bundle
from models.recogniser import Recogniser
from realtime.cameras.demo import DemoCamera
from realtime.cameras.demo_scene import DemoScene
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.states import CameraState, CameraStatus
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.track import FaceTracker
from realtime.metrics import Meter
from realtime.pipeline import Pipeline, run_every_frame
from realtime.types import FacesInFrame, Frame
from realtime.verdicts.agreement import VerdictRules
from realtime.verdicts.verdict import Verdict


class SlowRecogniser(Recogniser):
    """Takes half a second for every batch, as a large model on a small machine does."""

    def defend(self, crops, *, stage_ms=None, **_):  # type: ignore[no-untyped-def]
        time.sleep(0.5)
        return super().defend(crops, stage_ms=stage_ms)


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(worn=np.zeros((32, 32, 4), np.uint8))


@pytest.fixture
def recogniser(small_bundle: Bundle) -> Recogniser:
    return models.load_recogniser(small_bundle.folder, "onnxruntime", threads=1)


def finder(size: int = 32) -> FaceFinder:
    return FaceFinder(MtcnnOnnxDetector(min_face=80), FaceTracker(), size=size, limits=QualityLimits(), detect_every=3)


def plain(frame: Frame, found: FacesInFrame | None, verdicts: dict[int, Verdict], camera: CameraStatus) -> Bytes:
    return frame.bgr


def pipeline_of(cameras: list[NewestFrame], recogniser: Recogniser, **options: Any) -> Pipeline:
    """All of it, with a finder per camera; unless ``options`` say otherwise nothing is drawn and nothing is shown."""
    usual: dict[str, Any] = {"meter": Meter(), "draw": plain, "show": lambda frame, picture: None}
    finders = {camera.name: finder() for camera in cameras}
    return Pipeline(cameras, finders, recogniser, rules=VerdictRules(), **usual | options)


def test_the_display_keeps_the_cameras_rate_while_the_model_is_slow(scene: DemoScene, recogniser: Recogniser) -> None:
    slow = SlowRecogniser(recogniser.bundle, recogniser._engine)
    meter = Meter(slow.engine)
    camera = NewestFrame("demo", lambda: DemoCamera(scene), stuck_after=None)
    pipeline = pipeline_of([camera], slow, meter=meter)
    pipeline.start()
    deadline = time.monotonic() + 60
    while meter.summary()["decisions"] < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    pipeline.stop()
    summary = meter.summary()
    assert summary["decisions"] >= 4
    assert summary["frames_displayed"] >= 0.5 * summary["frames_captured"]  # also on a busy machine
    assert summary["frames_displayed"] >= 5 * summary["decisions"]  # at the model's rate they would be equal
    assert summary["frame_age_ms"]["p50"] < 400


def test_stopping_waits_for_the_pass_that_runs(scene: DemoScene, recogniser: Recogniser) -> None:
    """Python that ends while a thread is inside ONNX Runtime aborts the process, after all was done well."""
    inside = threading.Event()

    class VerySlow(Recogniser):
        def defend(self, crops, *, stage_ms=None, **_):  # type: ignore[no-untyped-def]
            inside.set()
            time.sleep(2.0)
            return super().defend(crops, stage_ms=stage_ms)

    camera = NewestFrame("demo", lambda: DemoCamera(scene), stuck_after=None)
    pipeline = pipeline_of([camera], VerySlow(recogniser.bundle, recogniser._engine))
    pipeline.start()
    assert inside.wait(30)
    pipeline.stop()
    assert not [thread.name for thread in pipeline._threads if thread.is_alive()]


def test_every_frame_is_decided_on_offline_in_order(scene: DemoScene, recogniser: Recogniser) -> None:
    shown: list[int] = []
    decided: list[int] = []
    meter = Meter(recogniser.engine)
    run_every_frame(
        NewestFrame("demo", lambda: DemoCamera(scene, frames=12, every_frame=True), every_frame=True, stuck_after=None),
        finder(),
        recogniser,
        rules=VerdictRules(),
        meter=meter,
        draw=plain,
        show=lambda frame, picture: shown.append(frame.index),
        on_decision=[lambda crop, evidence, undefended, defended: decided.append(crop.frame.index)],
    )
    assert shown == list(range(12))
    assert decided == sorted(decided)
    assert len(decided) >= 8  # a face has a track from its second detection on
    assert meter.summary()["faces"]["frames_searched"] == 12


def test_a_failure_in_a_thread_is_raised_where_it_is_waited_for(scene: DemoScene, recogniser: Recogniser) -> None:
    def broken(*_: object) -> Bytes:
        raise RuntimeError("no ink")

    camera = NewestFrame("demo", lambda: DemoCamera(scene), stuck_after=None)
    pipeline = pipeline_of([camera], recogniser, draw=broken)
    pipeline.start()
    with pytest.raises(RuntimeError, match="no ink"):
        pipeline.wait(20.0)
    pipeline.stop()


def test_an_absent_camera_does_not_hold_up_the_others(scene: DemoScene, recogniser: Recogniser, tmp_path: Path) -> None:
    from realtime.cameras.video_file import VideoFile

    shown: list[str] = []
    cameras = [
        NewestFrame("gone", lambda: VideoFile(tmp_path / "gone.mp4"), stuck_after=None),
        NewestFrame("demo", lambda: DemoCamera(scene, frames=25), stuck_after=None),
    ]
    pipeline = pipeline_of(cameras, recogniser, show=lambda frame, picture: shown.append(frame.camera))
    pipeline.start()
    assert pipeline.wait(20.0)
    pipeline.stop()
    assert shown.count("demo") >= 8


def test_of_several_cameras_one_that_has_ended_is_shown_as_lost(scene: DemoScene, recogniser: Recogniser) -> None:
    drawn: dict[str, list[tuple[int, CameraState]]] = {"short": [], "long": []}

    def draw(frame: Frame, found: FacesInFrame | None, verdicts: dict[int, Verdict], camera: CameraStatus) -> Bytes:
        drawn[frame.camera].append((frame.index, camera.state))
        return frame.bgr

    cameras = [
        NewestFrame("short", lambda: DemoCamera(scene, frames=10), stuck_after=None),
        NewestFrame("long", lambda: DemoCamera(scene), stuck_after=None),
    ]
    pipeline = pipeline_of(cameras, recogniser, draw=draw)
    pipeline.start()
    deadline = time.monotonic() + 20
    while (9, CameraState.LOST) not in drawn["short"] and time.monotonic() < deadline:  # on a busy machine drawn late
        time.sleep(0.05)
    pipeline.stop()
    assert drawn["short"][-1] == (9, CameraState.LOST)
    assert drawn["long"]
    assert {state for _, state in drawn["long"]} == {CameraState.LIVE}


def test_frames_that_a_slow_display_misses_are_counted_for_their_camera(
    scene: DemoScene, recogniser: Recogniser
) -> None:
    def slowly(frame: Frame, picture: Bytes) -> None:
        time.sleep(0.2 if frame.camera == "slow" else 0.0)

    meter = Meter()
    cameras = [NewestFrame(name, lambda: DemoCamera(scene, frames=50), stuck_after=None) for name in ("slow", "quick")]
    pipeline = pipeline_of(cameras, recogniser, meter=meter, show=slowly)
    pipeline.start()
    assert pipeline.wait(20.0)
    pipeline.stop()
    missed = {camera: sum(reasons.values()) for camera, reasons in meter.counts()["dropped"].items()}
    assert missed["slow"] > 25
    assert missed.get("quick", 0) < missed["slow"]

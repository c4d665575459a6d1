"""How a run ends: stopped by signals, with what it kept, and with what went wrong."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import time
from fractions import Fraction
from pathlib import Path

import av
import av.error
import pytest
from running import Running

from models.bundle import Bundle
from models.errors import BadInput
from realtime.cameras import CameraError, Cause, NewestFrame
from realtime.cameras.demo import DemoCamera
from realtime.cameras.demo_scene import DemoScene
from realtime.session import Outputs, run
from realtime.settings.config import CameraConfig, Config, RecognitionConfig
from tools.fault_drill.pictures import numbered_picture

pytestmark = pytest.mark.slow


def frames_in(path: Path) -> int:
    """How many can be decoded before the file ends or breaks off."""
    count = 0
    with av.open(str(path)) as film, contextlib.suppress(av.error.InvalidDataError):
        for _ in film.decode(video=0):
            count += 1
    return count


def recording(small_bundle: Bundle, folder: Path) -> Running:
    """A run that records the demo's scene."""
    options = ["--bundle", str(small_bundle.folder), "--engine", "onnxruntime", "--headless"]
    return Running("run", "--source", "demo", "--record", "seen.mp4", "--json", "out.json", *options, cwd=folder)


def wait_for_recording(run: Running, part: Path, size: int = 20_000) -> None:
    while not (part.exists() and part.stat().st_size > size):
        assert run.process.poll() is None, run.err
        time.sleep(0.02)


def test_a_second_and_a_third_sigterm_do_not_cut_off_what_the_first_began(tmp_path: Path, small_bundle: Bundle):
    with recording(small_bundle, tmp_path) as run:
        wait_for_recording(run, tmp_path / "seen.mp4.part")
        for pause in (0.0, 0.05):
            run.process.send_signal(signal.SIGTERM)
            time.sleep(pause)
        run.terminate()
    assert run.process.returncode == 0, run.err
    assert frames_in(tmp_path / "seen.mp4") > 5
    assert json.loads((tmp_path / "out.json").read_text())["failures"] == []


def test_a_second_interrupt_ends_the_run_without_an_abort(tmp_path: Path, small_bundle: Bundle):
    with recording(small_bundle, tmp_path) as run:
        wait_for_recording(run, tmp_path / "seen.mp4.part")
        run.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        run.terminate(signal.SIGINT)
    assert run.process.returncode in (0, 130)  # 0 where the first had ended everything by then
    assert run.err == ""


def test_a_recording_that_is_lost_ends_with_exit_code_2_after_the_figures(tmp_path: Path, small_bundle: Bundle):
    with recording(small_bundle, tmp_path) as run:
        wait_for_recording(run, tmp_path / "seen.mp4.part")
        size = (tmp_path / "seen.mp4.part").stat().st_size + 10_000  # as if the disk were full then
        resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (size, size))
        while "stopped" not in run.err:
            assert run.process.poll() is None, run.err
            time.sleep(0.02)
        run.terminate()
    assert run.process.returncode == 2
    (failure,) = json.loads((tmp_path / "out.json").read_text())["failures"]
    assert run.err.strip().splitlines()[-1] == f"error: {failure}"
    assert "seen.mp4 stopped: File too large; what came before is in seen.mp4.part" in failure
    assert frames_in(tmp_path / "seen.mp4.part") > 5
    assert "frames displayed" in run.out
    assert "recorded: " not in run.out


def test_every_frame_of_a_slow_file_is_recorded_at_a_rate_that_recordings_have(tmp_path: Path, small_bundle: Bundle):
    with av.open(str(tmp_path / "slow.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(1, 2))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(5):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_picture(number, (320, 240)), "bgr24")))
        film.mux(stream.encode())
    camera = CameraConfig(source=str(tmp_path / "slow.mp4"), every_frame=True)
    recognition = {"bundle": str(small_bundle.folder), "engine": "onnxruntime"}
    run(Config(cameras=[camera], recognition=recognition), Outputs(record=tmp_path / "seen.mp4"))
    assert frames_in(tmp_path / "seen.mp4") == 5


def test_cameras_that_would_share_a_recording_are_refused_before_the_model_is_loaded(tmp_path: Path):
    cameras = [CameraConfig(name=name, source="demo") for name in ("front door", "front_door")]
    config = Config(cameras=cameras, recognition={"bundle": "there is none"})
    with pytest.raises(BadInput, match=r"'front door' and 'front_door' would both be .*seen-front_door\.mp4"):
        run(config, Outputs(record=tmp_path / "seen.mp4"))
    assert not list(tmp_path.iterdir())


def watched(bundle: Bundle, source: str) -> Config:
    recognition = RecognitionConfig(bundle=str(bundle.folder), engine="onnxruntime", batch=1)
    return Config(cameras=[CameraConfig(name="gate", source=source)], recognition=recognition)


def test_a_lone_camera_that_is_away_at_the_start_is_waited_for(small_bundle: Bundle, caplog):
    attempts = iter([CameraError(Cause.UNREACHABLE, "rtsp://h/x refuses connections"), None])

    def connect():
        error = next(attempts)
        if error is not None:
            raise error
        return DemoCamera(DemoScene(), frames=5)

    config = watched(small_bundle, "rtsp://h/x")
    summary = run(config, Outputs(), capture=lambda camera: NewestFrame(camera.name, connect, stuck_after=None))
    (gate,) = summary["cameras"]
    assert (gate["name"], gate["cause"]) == ("gate", "end_of_file")
    assert gate["captured"] >= summary["frames_displayed"] > 0
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if line.startswith("gate is lost: rtsp://h/x refuses connections; check host")]
    assert [line for line in lines if line.startswith("gate is back after ")]


def test_a_run_whose_only_camera_never_came_says_so_in_the_end_and_reports_its_state(small_bundle: Bundle):
    reports = []
    with pytest.raises(BadInput, match=r"127\.0\.0\.1:1/x refuses connections .*; check host name and port"):
        run(watched(small_bundle, "rtsp://127.0.0.1:1/x"), Outputs(seconds=0.5, report=reports.append))
    (gate,) = reports[0].summary["cameras"]
    assert (gate["state"], gate["cause"], gate["captured"]) == ("lost", "unreachable", 0)

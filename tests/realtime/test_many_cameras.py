"""Several cameras in one process, as a user starts them; and how a run ends."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import av
import pytest
from running import Running

from models.bundle import Bundle
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import Event
from tools.fault_drill.pictures import encode_units, numbered_picture, write_video
from tools.fault_drill.rtsp_server import RtspServer

pytestmark = pytest.mark.slow

SIZE = (320, 240)


@pytest.fixture(scope="module")
def units():
    return encode_units([numbered_picture(number, SIZE) for number in range(50)])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    return write_video(path, (numbered_picture(number, SIZE) for number in range(50)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def frames_in(path: Path) -> int:
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


def explained_events(folder: Path) -> list[Event]:
    """Those that are stored with what the decision hung on."""
    store = EventStore(folder, owner=False)
    events = store.query()
    store.close()
    return [event for event in events if {"before", "saliency", "mask", "after"} <= set(event.pictures)]


def quick(bundle: Bundle) -> list[str]:
    """Options for a run whose model is loaded soon."""
    return ["--bundle", str(bundle.folder), "--engine", "onnxruntime", "--headless"]


def test_four_cameras_of_which_two_are_away_run_on_one_page_and_stop_in_good_order(
    tmp_path: Path, units, film: Path, small_bundle: Bundle
):
    port = free_port()
    with RtspServer(units) as gate, RtspServer(units) as cellar:
        cellar.silent = True
        sources = {
            "front": "demo",
            "gate": gate.url(),
            "roof": f"rtsp://127.0.0.1:{port}/stream1",  # nobody there yet
            "cellar": cellar.url(),  # hangs for ever
            "yard": str(film),
        }
        lines = [f"  - {{name: {name}, source: '{source}', open_timeout: 20}}" for name, source in sources.items()]
        (tmp_path / "cameras.yaml").write_text(
            "\n".join(["cameras:", *lines, "web: {port: 0}", "defence: {zones: [eyewear]}"])
        )
        arguments = ["--config", "cameras.yaml", "--web", "--record", "seen.mp4", "--json", "out.json"]
        with Running("run", *arguments, "--events", "events", *quick(small_bundle), cwd=tmp_path) as run:
            cameras = run.wait_for(front="live", gate="live", roof="lost", cellar="connecting", yard="lost")
            assert cameras["roof"]["cause"] == "unreachable"
            assert cameras["yard"]["cause"] == "end_of_file"
            for name in ("front", "gate"):
                assert run.get(f"/cameras/{name}.jpg").startswith(b"\xff\xd8")
            with RtspServer(units, port=port):
                run.wait_for(roof="live", front="live", gate="live")
                viewer = urlopen(run.page() + "/api/live", timeout=10)
                threading.Thread(target=lambda: [None for _ in iter(lambda: viewer.read(65536), b"")]).start()
                time.sleep(1.0)  # some pictures of each
                end = time.monotonic() + 60
                while not explained_events(tmp_path / "events"):  # on a busy machine the first takes seconds
                    assert time.monotonic() < end, run.err
                    time.sleep(0.1)
                took = run.terminate()
            assert run.process.returncode == 0, run.err
        assert took < 10  # not the 20 s of the camera that hangs; about 1.3 s where nothing else runs
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["frames_displayed"] > 50
    assert "Traceback" not in run.err
    of = {camera["name"]: camera for camera in summary["cameras"]}
    assert list(of) == list(sources)
    assert of["gate"]["captured"] > 10
    assert (of["cellar"]["captured"], of["yard"]["cause"]) == (0, "end_of_file")
    lines = [line.partition(": ")[2] for line in run.err.splitlines()]
    assert [line.split()[2] for line in lines if line.startswith("roof is")] == ["lost:", "back"]
    assert not any(line.startswith(("front is", "yard is")) for line in lines)
    assert explained_events(tmp_path / "events")
    recorded = {path.name: frames_in(path) for path in tmp_path.glob("seen*")}
    assert set(recorded) == {f"seen-{name}.mp4" for name in ("front", "gate", "roof", "yard")}  # not the cellar's
    assert all(count > 10 for count in recorded.values()), recorded


@pytest.mark.parametrize("every_frame", [False, True])
def test_a_file_that_breaks_off_ends_with_exit_code_2_and_keeps_what_was_seen(
    tmp_path: Path, film: Path, small_bundle: Bundle, every_frame: bool
):
    content = film.read_bytes()
    (tmp_path / "broken.mkv").write_bytes(content[: len(content) // 3])
    arguments = ["--source", "broken.mkv", "--record", "seen.mp4", "--json", "out.json", *quick(small_bundle)]
    with Running("run", *arguments, *(["--every-frame"] if every_frame else []), cwd=tmp_path) as run:
        assert run.wait() == 2
    (line,) = run.err.strip().splitlines()
    assert "broken.mkv is truncated or damaged" in line
    assert "of 2.0 seconds could be read" in line
    summary = json.loads((tmp_path / "out.json").read_text())
    assert 8 < summary["frames_captured"] < 25
    recorded = frames_in(tmp_path / "seen.mp4")
    assert recorded == summary["frames_captured"] if every_frame else recorded >= 5
    assert "recorded: seen.mp4" in run.out


def test_a_run_over_every_frame_stops_in_good_order(tmp_path: Path, small_bundle: Bundle):
    film = write_video(tmp_path / "long.mkv", [numbered_picture(n, SIZE) for n in range(50)] * 20)
    arguments = ["--source", film, "--every-frame", "--record", "seen.mp4", "--json", "out.json"]
    with Running("run", *arguments, *quick(small_bundle), cwd=tmp_path) as run:
        part = tmp_path / "seen.mp4.part"
        while not (part.exists() and part.stat().st_size > 20_000):
            assert run.process.poll() is None, run.err
            time.sleep(0.05)
        assert run.terminate() < 3.0
    assert run.process.returncode == 0, run.err
    displayed = json.loads((tmp_path / "out.json").read_text())["frames_displayed"]
    assert 0 < displayed < 1000
    assert frames_in(tmp_path / "seen.mp4") > 0


def test_every_frame_of_several_cameras_is_refused(tmp_path: Path, film: Path, small_bundle: Bundle):
    cameras = f"cameras: [{{name: a, source: '{film}'}}, {{name: b, source: '{film}'}}]"
    (tmp_path / "two.yaml").write_text(cameras)
    with Running("run", "--config", "two.yaml", "--every-frame", *quick(small_bundle), cwd=tmp_path) as run:
        assert run.wait() == 2
    assert "one camera only" in run.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_still_waits_for_its_only_camera_stops_at_once(tmp_path: Path, small_bundle: Bundle, units, number):
    with RtspServer(units) as hanging:
        hanging.silent = True
        camera = f"cameras: [{{name: gate, source: '{hanging.url()}', open_timeout: 20, read_timeout: 20}}]"
        (tmp_path / "one.yaml").write_text(camera)
        arguments = ["--config", "one.yaml", "--json", "out.json", *quick(small_bundle)]
        with Running("run", *arguments, cwd=tmp_path) as run:
            while not hanging.requests:
                assert run.process.poll() is None, run.err
                time.sleep(0.05)
            time.sleep(0.3)
            assert run.terminate(number) < 3.0
        assert run.process.returncode == 0, run.err
        assert json.loads((tmp_path / "out.json").read_text())["frames_captured"] == 0

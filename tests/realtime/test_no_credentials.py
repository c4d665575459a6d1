"""A password with every special character, driven through a whole run: nothing that leaves the process shows it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest
from running import Running

from models.bundle import Bundle
from realtime.cameras.demo_scene import DemoScene
from tools.fault_drill.pictures import encode_units
from tools.fault_drill.rtsp_server import RtspServer

pytestmark = pytest.mark.slow

PASSWORD = "p@ss:w/rd%z!x"
ADDRESSES = ("/", "/login", "/healthz", "/readyz", "/metrics", "/api/cameras", "/api/events", "/api/people")
ADDRESSES += ("/api/events/export.jsonl", "/api/events/export.csv", "/cameras/nowhere.jpg", "/static/live.js")


def forms() -> set[str]:
    """How the password may look: as it is, encoded, in a header, and its telling pieces."""
    encoded = {quote(PASSWORD, safe=safe) for safe in ("", "/", "!$&'()*+,;=-._~", "!$&'()*+,;=-._~%")}
    header = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    return {PASSWORD, json.dumps(PASSWORD)[1:-1], *encoded, header, "p@ss", "w/rd", "p%40ss", "rd%25z", "rd%z"}


def assert_hidden(content: bytes | str, where: object) -> None:
    data = content.encode() if isinstance(content, str) else content
    for form in forms():
        assert form.encode() not in data, f"{form} in {where}"


def command_line(run: Running) -> bytes:
    return Path(f"/proc/{run.process.pid}/cmdline").read_bytes()


@pytest.fixture(scope="module")
def units():
    scene = DemoScene(worn=np.zeros((32, 32, 4), np.uint8))
    return encode_units([scene.frame(index, 0) for index in range(50)])


def look_everywhere(run: Running) -> None:
    """Everything that the process shows while it runs."""
    for address in ADDRESSES:
        assert_hidden(run.get(address), address)
    for endless in ("/api/live", "/api/events/stream"):
        with urlopen(run.page() + endless, timeout=10) as answer:
            assert_hidden(answer.read(2000 if endless == "/api/live" else 1), endless)
    assert_hidden(command_line(run), "/proc/PID/cmdline")


def look_at_what_is_left(run: Running, folder: Path, *, but: tuple[str, ...] = ()) -> None:
    """Everything that the process printed and wrote."""
    assert_hidden(run.out, "standard output")
    assert_hidden(run.err, "standard error")
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in but:
            assert_hidden(path.read_bytes(), path)
        assert_hidden(str(path), "a file's name")


def test_a_password_on_the_command_line_is_nowhere_to_be_seen(tmp_path: Path, units, small_bundle: Bundle):
    with RtspServer(units) as camera:
        camera.password = PASSWORD
        source = camera.url(f"admin:{PASSWORD}")
        arguments = ["--source", source, "--web", "--port", "0", "--events", "events", "--json", "out.json"]
        arguments += ["--record", "seen.mp4", "--headless", "--bundle", small_bundle.folder, "--engine", "onnxruntime"]
        with Running("run", *arguments, cwd=tmp_path, SPECTACLEAR_LOG="debug,json") as run:
            run.wait_for(camera="live")
            assert b"127.0.0.1" in command_line(run)  # it is this process's, and it is not empty
            time.sleep(1.5)  # some decisions
            look_everywhere(run)
            camera.password = "changed"
            camera.cut()
            assert run.wait_for(camera="refused")["camera"]["cause"] == "unauthorised"
            look_everywhere(run)
            camera.close()
            assert run.wait_for(camera="lost")["camera"]["cause"] == "unreachable"
            look_everywhere(run)
            run.terminate()
    assert run.process.returncode == 0, run.err
    assert "next attempt in" in run.err  # there were logs
    assert json.loads((tmp_path / "out.json").read_text())["frames_displayed"] > 10
    look_at_what_is_left(run, tmp_path)


def test_passwords_of_a_configuration_are_nowhere_to_be_seen(tmp_path: Path, units, small_bundle: Bundle):
    """Of a camera, a web hook and a broker, the latter two away, so that failing deliveries are logged."""
    token = "tokenw1th/%40andmore"
    with RtspServer(units) as camera:
        camera.password = PASSWORD
        (tmp_path / "run.yaml").write_text(
            f"""
cameras: [{{name: gate, source: "rtsp://admin:${{SECRET}}@127.0.0.1:{camera.port}/stream1"}}]
recognition: {{bundle: "{small_bundle.folder}", engine: onnxruntime}}
events: {{folder: events}}
webhook: {{url: "http://admin:${{SECRET}}@127.0.0.1:9/hook?token=${{TOKEN}}", secret: "${{SECRET}}"}}
mqtt: {{host: 127.0.0.1, port: 9, user: admin, password: "${{SECRET}}"}}
web: {{port: 0}}
"""
        )
        environment = {"SECRET": PASSWORD, "TOKEN": token, "SPECTACLEAR_LOG": "debug"}
        arguments = ["--config", "run.yaml", "--web", "--json", "out.json", "--headless"]
        with Running("run", *arguments, cwd=tmp_path, **environment) as run:
            run.wait_for(gate="live")
            end = time.monotonic() + 20
            while not json.loads(run.get("/api/events"))["events"] and time.monotonic() < end:
                time.sleep(0.2)
            assert json.loads(run.get("/api/events"))["events"], "no event, so no delivery was tried"
            time.sleep(1.0)
            look_everywhere(run)
            run.terminate()
    assert run.process.returncode == 0, run.err
    look_at_what_is_left(run, tmp_path)
    assert token not in run.out + run.err


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_camera_that_refuses_is_one_line_without_its_password(
    tmp_path: Path, units, small_bundle: Bundle, command: str
):
    with RtspServer(units) as camera:
        camera.password = "another"
        arguments = ["--source", camera.url(f"admin:{PASSWORD}"), "--json", "out.json"]
        if command == "run":
            arguments += ["--headless", "--seconds", "3", "--bundle", small_bundle.folder, "--engine", "onnxruntime"]
        with Running(command, *arguments, cwd=tmp_path) as run:
            assert run.wait() == 2
    assert "refuses the user name or password" in run.err
    assert "Traceback" not in run.err
    look_at_what_is_left(run, tmp_path)


def test_a_mistake_in_a_configuration_is_told_without_its_password(tmp_path: Path):
    (tmp_path / "run.yaml").write_text(f'cameras: [{{name: gate, source: "rtsp://admin:{PASSWORD}@", fps: fast}}]')
    with Running("run", "--config", "run.yaml", "--headless", cwd=tmp_path) as run:
        assert run.wait() == 2
    look_at_what_is_left(run, tmp_path, but=("run.yaml",))

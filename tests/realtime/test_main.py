"""The command line as a user runs it: a process, its exit code, what it prints and what it leaves behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from running import forked
from skimage.data import astronaut
from typer.testing import CliRunner

from models.bundle import Bundle
from realtime.__main__ import app
from realtime.cameras.open import _kinds
from realtime.commands.demo import Demo
from realtime.metrics import Meter, Summary
from realtime.settings.config import Config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def spectaclear(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "realtime", *map(str, arguments)],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DISPLAY": "",
            "WAYLAND_DISPLAY": "",
            "COLUMNS": "200",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=180,
    )


def write_clip(path: Path) -> None:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        face = cv2.resize(astronaut(), (320, 320))[:240]
        for step in range(10):
            picture = np.ascontiguousarray(np.roll(face, step, axis=1))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The single line of an error for the user: exit code 2, no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), astronaut()[..., ::-1])
    return path


@pytest.mark.usefixtures("tried")
def test_the_demo_recognises_is_attacked_and_defends_without_a_screen(tmp_path: Path) -> None:
    for seconds in ("6", "24"):  # where the processor is somebody else's, not one face is decided on in two seconds
        done = spectaclear("demo", "--headless", "--seconds", seconds, "--json", "out.json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        summary = json.loads((tmp_path / "out.json").read_text())
        if all(act["defended"] and act["undefended"] for act in summary["acts"]):
            break
    bare, attacked, innocent = summary["acts"]
    assert next(iter(bare["defended"])) == "Known(Eileen Collins)"
    assert next(iter(innocent["defended"])) == "Known(Eileen Collins)"
    (target, _) = next(iter(attacked["undefended"].items()))
    assert target.startswith("Known(")
    assert target != "Known(Eileen Collins)"
    assert next(iter(attacked["defended"])) == target.replace("Known", "SuspectedAttack")
    assert set(summary["stage_ms"]) >= {"detect", "align", "classify", "saliency", "mask", "reclassify", "draw"}
    with av.open(str(tmp_path / "spectaclear-demo.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) > 50
    assert "measures nothing" in done.stdout


@pytest.mark.usefixtures("tried")
def test_of_every_frame_of_the_attack_at_least_four_in_five_are_suspected(tmp_path: Path) -> None:
    done = spectaclear("demo", "--headless", "--every-frame", "--seconds", "1.2", "--json", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bare, attacked, innocent = json.loads((tmp_path / "out.json").read_text())["acts"]
    assert bare["defended"]["Known(Eileen Collins)"] >= 0.95 * bare["frames"]
    assert not [name for name in innocent["defended"] if name.startswith("SuspectedAttack")]
    suspected = sum(count for name, count in attacked["defended"].items() if name.startswith("SuspectedAttack"))
    assert suspected >= 0.8 * attacked["frames"] >= 0.8 * 8
    assert attacked["undefended"].get("Known(Eileen Collins)", 0) <= 0.2 * attacked["frames"]


@pytest.mark.parametrize(
    ("options", "window", "record", "frames"),
    [
        ([], True, None, 600),
        (["--seconds", "2"], True, None, 50),
        (["--web"], True, None, None),  # plays on for as long as somebody looks
        (["--headless"], False, Path("spectaclear-demo.mp4"), 600),
        (["--every-frame"], False, Path("spectaclear-demo.mp4"), 600),
    ],
)
def test_the_demo_plays_once_in_a_window_or_into_a_film(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    window: bool,
    record: Path | None,
    frames: int | None,
) -> None:
    from realtime import session

    asked = []
    lengths = []

    class Played(Demo):
        def __init__(self, act_seconds: float, *, frames: int | None = None, **options: Any) -> None:
            super().__init__(act_seconds, frames=frames, **options)
            lengths.append(frames)

    def run(settings: Config, outputs: session.Outputs) -> Summary:
        asked.append(outputs)
        return Meter().summary()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("realtime.cameras.open._kinds", list(_kinds))  # what the demo registers is taken back
    monkeypatch.setattr(session, "has_screen", lambda: True)
    monkeypatch.setattr(session, "run", run)
    monkeypatch.setattr("realtime.commands.demo.Demo", Played)
    result = CliRunner().invoke(app, ["demo", *options])
    assert result.exit_code == 0, result.output
    assert [(outputs.window, outputs.record) for outputs in asked] == [(window, record)]
    assert lengths == [frames]


@pytest.mark.usefixtures("tried")
def test_identify_names_the_face_of_a_photo(tmp_path: Path, photo: Path) -> None:
    done = spectaclear("identify", photo, "--json", "out.json", "--save", "drawn.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (face,) = json.loads((tmp_path / "out.json").read_text())["faces"]
    assert face["state"] == "known"
    assert face["identity"] == "Eileen Collins"
    assert cv2.imread(str(tmp_path / "drawn.png")).shape == (512, 512, 3)


def quick(bundle: Bundle) -> list[str | Path]:
    """A network that is loaded soon, for what does not hang on its answers."""
    return ["--bundle", bundle.folder, "--engine", "onnxruntime"]


def test_a_picture_without_a_face_says_so(tmp_path: Path, small_bundle: Bundle) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 128, np.uint8))
    assert "no face was found" in one_line(spectaclear("identify", "grey.png", *quick(small_bundle), cwd=tmp_path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["identify", "missing.png"], "cannot be read"),
        (["identify", "text.png"], "not a picture"),
        (["run", "--source", "missing.mp4", "--headless"], "does not exist"),
        (["run", "--source", "text.png", "--headless"], "no picture that can be decoded"),
        (["run", "--source", "demo", "--config", "typo.yaml"], "cammeras"),
        (["run", "--source", "demo", "--bundle", "nobody"], "no such folder"),
        (["run", "--source", "demo", "--engine", "abacus", "--headless"], "abacus"),
        (["run", "--source", "demo", "--headless", "--json", "no/such/folder/out.json"], "no/such/folder"),
        (["run", "--source", "demo", "--headless", "--record", "no/such/folder/out.mp4"], "no/such/folder"),
        (["run", "--source", "0", "--every-frame", "--headless"], "every_frame is for files"),
        (["run", "--source", "rtsp://127.0.0.1:9/live", "--every-frame", "--seconds", "1"], "every_frame is for files"),
        (["demo", "--seconds", "minus one"], "seconds"),
        (["demo", "--headless", "--seconds", "inf"], "seconds"),
        (["check", "--source", "missing.mp4", "--seconds", "nan"], "seconds"),
        (["run", "--source", "clip.mp4", "--record", "clip.mp4", "--headless"], "it is what is read from"),
        (["run", "--source", "clip.mp4", "--json", "clip.mp4", "--headless"], "it is what is read from"),
        (["identify", "text.png", "--save", "text.png"], "it is what is read from"),
        (["demo", "--port", "9999"], "add --web"),
        (["run", "--source", "demo", "--headless", "--host", "127.0.0.1"], "add --web"),
        (["run", "--source", "missing.mp4", "--config", "cctv"], "does not exist"),
        (["check", "--source", "missing.mp4", "--config", "cctv"], "does not exist"),
        (["identify", "missing.png", "--config", "cctv"], "cannot be read"),
        (["events", "list", "--folder", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "typo.yaml").write_text("cammeras: []\n")
    write_clip(tmp_path / "clip.mp4")
    assert words in one_line(forked(*arguments, cwd=tmp_path))


def test_credentials_never_appear_in_any_output(tmp_path: Path, small_bundle: Bundle) -> None:
    source = ["--source", "rtsp://user:p@ss:w/rd%21@127.0.0.1:9/live"]
    done = spectaclear("run", "--headless", *source, *quick(small_bundle), "--seconds", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert "refuses connections" in done.stderr.splitlines()[-1]
    for secret in ("p@ss", "w/rd", "rd%21", "rd!"):
        assert secret not in done.stderr + done.stdout


def test_the_figures_are_written_though_nobody_reads_what_is_printed(
    tmp_path: Path, photo: Path, small_bundle: Bundle
) -> None:
    out, gone = os.pipe()
    os.close(out)
    for command in (["identify", photo, *quick(small_bundle)], ["check", "--source", "demo", "--seconds", "0.2"]):
        arguments = [sys.executable, "-m", "realtime", *command, "--json", "out.json"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(arguments, cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE, env=environment, timeout=180)
        (tmp_path / "out.json").rename(tmp_path / f"{command[0]}.json")
    os.close(gone)


def test_check_says_what_a_source_sends(tmp_path: Path) -> None:
    done = spectaclear("check", "--source", "demo", "--seconds", "0.4", "--json", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["size"] == [640, 480]
    assert found["native_fps"] == 25.0


def test_a_run_over_every_frame_of_a_file_records_every_frame(tmp_path: Path, small_bundle: Bundle) -> None:
    write_clip(tmp_path / "clip.mp4")
    options = ["--every-frame", "--headless", "--json", "out.json", *quick(small_bundle)]
    done = spectaclear("run", "--source", "clip.mp4", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["frames_displayed"] == 10
    assert summary["faces"]["frames_with_faces"] >= 6

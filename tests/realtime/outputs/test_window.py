import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import cv2
import pytest

from realtime.outputs import window
from realtime.outputs.window import has_screen, wants_to_quit

REPOSITORY = Path(__file__).parents[3]
BARE = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="screens are found by DISPLAY on Linux only")


@on_linux
@pytest.mark.parametrize("variables", [{}, {"DISPLAY": ""}, {"DISPLAY": "", "WAYLAND_DISPLAY": ""}])
def test_without_a_display_there_is_no_screen_and_nothing_is_tried(monkeypatch, variables):
    monkeypatch.setattr(window.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert not has_screen({**BARE, **variables})


@on_linux
def test_a_display_that_does_not_answer_is_no_screen_and_kills_nobody():
    if not cv2.currentUIFramework():
        pytest.skip("this OpenCV has no windows")
    assert not has_screen({**BARE, "DISPLAY": ":987"})


def test_opencv_without_windows_has_no_screen(monkeypatch):
    def absent():
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(window.cv2, "currentUIFramework", absent)
    assert not has_screen({**BARE, "DISPLAY": ":0"})
    monkeypatch.setattr(window.cv2, "currentUIFramework", lambda: "")
    assert not has_screen({**BARE, "DISPLAY": ":0"})


@pytest.mark.parametrize("failure", [OSError("no more processes"), subprocess.TimeoutExpired("probe", 1)])
def test_a_probe_that_cannot_run_or_hangs_means_no_screen(monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(window, "_built_with_windows", lambda: True)
    monkeypatch.setattr(window.subprocess, "run", fail)
    assert not has_screen({**BARE, "DISPLAY": ":0"})


@pytest.mark.parametrize(
    ("key", "quits"),
    [(-1, False), (27, True), (ord("q"), True), (ord("Q"), True), (ord("a"), False), (0x100000 | ord("q"), True)],
)
def test_q_and_escape_quit(key, quits):
    assert wants_to_quit(key) is quits


@pytest.fixture
def virtual_screen():
    """A screen of Xvfb's, where it is installed."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed")
    if not cv2.currentUIFramework():
        pytest.skip("this OpenCV has no windows")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    killer = threading.Timer(10, server.kill)
    killer.start()
    try:
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        killer.cancel()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield {**BARE, "DISPLAY": f":{number}"}
    finally:
        killer.cancel()
        server.kill()
        server.wait()


@on_linux
def test_a_window_shows_pictures_on_a_real_screen(virtual_screen):
    program = textwrap.dedent("""
        import cv2, numpy as np
        from realtime.outputs.window import Window
        with Window("camera") as shown:
            assert all(shown.show(np.full((48, 64, 3), level, np.uint8)) for level in range(0, 250, 50))
            cv2.destroyWindow("camera")  # as the viewer does with the mouse
            assert not shown.show(np.zeros((48, 64, 3), np.uint8))
        print("shown")
    """)
    assert has_screen(virtual_screen)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=virtual_screen,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "shown\n"), done.stderr

"""Exit codes and one-line errors; what is written is in ``test_cli_files``."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import typer

from models.errors import BadInput
from realtime.system import command_line
from realtime.system.command_line import setup_logging_by_environment

APP = textwrap.dedent(
    """
    from realtime.system.command_line import console, run_app
    import os, sys, time, typer
    from models.errors import BadInput
    app = typer.Typer(no_args_is_help=True)

    @app.command()
    def good(number: int = 1, source: str = ""):
        console.print(f"policy {os.environ['OMP_WAIT_POLICY']}")

    @app.command()
    def bad(source: str = ""):
        raise BadInput("rtsp://u:sesame99@host/x does not answer;\\ncheck it")

    @app.command()
    def broken():
        raise RuntimeError("lost rtsp://u:sesame99@host/x")

    @app.command()
    def full():
        with open("/dev/full", "wb", buffering=0) as disk:
            disk.write(b"figures")

    @app.command()
    def folder(path: str):
        os.mkdir(path)

    @app.command()
    def absent():
        open("/nowhere/at/all")

    @app.command()
    def name(path: str, out: str):
        from realtime.system.command_line import write_json
        console.print(path)
        write_json(out, {"path": path})

    @app.command()
    def three():
        raise typer.Exit(3)

    @app.command()
    def wait(source: str = ""):
        print("waiting", flush=True)
        time.sleep(30)

    @app.command()
    def interrupted():
        import atexit
        atexit.register(print, "taken down")
        print("result")
        raise KeyboardInterrupt

    @app.command()
    def heavy():
        print(sorted(name for name in ("torch", "cv2") if name in sys.modules))

    run_app(app)
    """
)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def _environment():
    without = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    return {**without, "PYTHONPATH": str(ROOT)}


def _run(script, *arguments):
    command = [sys.executable, script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=_environment(), timeout=60)


def test_success_is_0_and_idle_threads_are_told_to_sleep(script):
    result = _run(script, "good")
    assert (result.returncode, result.stdout, result.stderr) == (0, "policy PASSIVE\n", "")


def test_bad_input_is_one_line_and_exit_code_2(script):
    result = _run(script, "bad")
    assert result.returncode == 2
    assert result.stderr == "error: rtsp://***@host/x does not answer; check it\n"
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [("good", "--number", "many"), ("good", "--nmber", "1"), ("nothing",)])
def test_a_wrong_option_is_one_line_and_exit_code_2(script, arguments):
    result = _run(script, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "--help" in result.stderr


def test_without_a_command_the_help_is_shown_and_the_line_says_what_is_missing(script):
    result = _run(script)
    assert result.returncode == 2
    assert "Usage" in result.stdout
    assert result.stderr.startswith("error: a command is missing; see ")


def test_a_file_where_a_folder_should_be_is_bad_input(script, tmp_path):
    result = _run(script, "folder", str(script))
    assert result.returncode == 2
    assert result.stderr == f"error: {script}: cannot be written (File exists); give a writable place with room\n"


def test_a_name_that_is_not_utf_8_is_printed_escaped_and_comes_back_from_the_figures(script, tmp_path):
    command = [sys.executable, script, "name", b"caf\xe9.jpg", tmp_path / "out.json"]
    result = subprocess.run(command, capture_output=True, env=_environment(), timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"caf\\udce9.jpg\n", b"")
    assert os.fsencode(json.loads((tmp_path / "out.json").read_text())["path"]) == b"caf\xe9.jpg"


def test_an_unexpected_exception_is_exit_code_1_without_credentials(script):
    result = _run(script, "broken")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "error: unexpected RuntimeError: lost rtsp://***@host/x"
    assert "sesame99" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line_and_exit_code_2(script):
    result = _run(script, "full")
    assert result.returncode == 2
    assert result.stderr == "error: cannot be written (No space left on device); give a writable place with room\n"


def test_what_may_not_be_read_is_not_said_to_be_unwritable(tmp_path, monkeypatch):
    def opened(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    app = typer.Typer()
    app.command()(lambda: opened(tmp_path / "there"))
    (tmp_path / "there").touch()
    said = []
    monkeypatch.setattr(command_line, "_fail", lambda message, code: said.append((message, code)) or code)
    monkeypatch.setattr(sys, "argv", ["tool"])
    for readable in (True, False):
        monkeypatch.setattr(os, "access", lambda path, mode, readable=readable: readable)
        assert command_line._exit_code(app) == 2
    assert [message.partition("there: ")[2] for message, _ in said] == [
        "cannot be written (Permission denied); give a writable place with room",
        "cannot be read (Permission denied); let this user read it, or give another",
    ]


def test_a_system_without_any_folder_for_temporary_files_is_no_obstacle():
    program = (
        "import errno, tempfile\n"
        "def none(): raise FileNotFoundError(errno.ENOENT, 'No usable temporary directory found')\n"
        "tempfile._get_default_tempdir = none\n"
        "import realtime.system.command_line, supervision\n"
    )
    subprocess.run([sys.executable, "-c", program], env=_environment(), check=True, timeout=60)


def test_a_file_that_should_have_been_there_stays_an_unexpected_failure(script):
    result = _run(script, "absent")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_an_exit_code_of_the_command_is_kept(script):
    assert _run(script, "three").returncode == 3


def test_the_helper_itself_imports_nothing_heavy(script):
    assert _run(script, "heavy").stdout == "[]\n"


def test_an_interrupt_is_exit_code_130_without_traceback(script):
    with subprocess.Popen(
        [sys.executable, script, "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
        # A shell's background job ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
        assert process.wait(10) == 130


def test_after_an_interrupt_python_is_not_taken_down_under_threads_that_may_be_inside_an_engine(script):
    result = _run(script, "interrupted")
    assert (result.returncode, result.stdout, result.stderr) == (130, "result\n", "")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_password_on_the_command_line_leaves_the_process_title(script):
    source = "rtsp://admin:p@ss/w:o%rd@cam.local/x"
    with subprocess.Popen(
        [sys.executable, script, "wait", "--source", source], stdout=subprocess.PIPE, env=_environment()
    ) as process:
        assert process.stdout.readline() == b"waiting\n"
        title = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
    assert b"p@ss" not in title
    assert b"rtsp://***@cam.local/x" in title


@pytest.mark.parametrize(
    ("wish", "level", "is_json"),
    [("", "WARNING", False), ("info", "INFO", False), ("json, debug", "DEBUG", True), ("json", "WARNING", True)],
)
def test_the_environment_says_what_is_logged(monkeypatch, capsys, wish, level, is_json):
    root = logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    monkeypatch.setenv("SPECTACLEAR_LOG", wish)
    try:
        setup_logging_by_environment()
        assert logging.getLevelName(root.level) == level
        logging.getLogger("a").error("gone")
        line = capsys.readouterr().err.strip()
        assert line.startswith("{") == is_json
        assert "gone" in line
    finally:
        root.setLevel(before)
        root.handlers[:] = handlers


@pytest.mark.parametrize("wish", ["loud", "info,debug", "info,xml"])
def test_another_wish_for_logs_is_bad_input(monkeypatch, wish):
    monkeypatch.setenv("SPECTACLEAR_LOG", wish)
    with pytest.raises(BadInput, match="SPECTACLEAR_LOG"):
        setup_logging_by_environment()

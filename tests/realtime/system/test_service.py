"""What a service manager is told, and the example for systemd."""

import configparser
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from importlib import resources

import pytest

from realtime.system.service import Heart, tell, told

UNIT = resources.files("configs") / "spectaclear.service"


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """A service manager's socket; gives what it was told so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def heard(seconds=0.05):
            said, end = [], time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                listening.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    said.append(listening.recv(100).decode())
            return said

        yield heard


def test_the_manager_is_told_of_the_start_and_the_end_and_between_them_that_nothing_is_stuck(manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    heart = Heart()
    heart.beat()
    with told(heart):
        during = manager(0.3)
    assert during[0] == "READY=1"
    assert during.count("WATCHDOG=1") >= 2
    assert manager()[-1] == "STOPPING=1"


def test_where_a_thread_is_stuck_the_watchdog_hears_nothing(manager, monkeypatch, caplog):
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    heart = Heart()
    thread = threading.Thread(target=heart.beat, name="decisions")
    thread.start()
    thread.join()
    monkeypatch.setattr("realtime.system.service._STUCK", 0.0)
    with told(heart):
        assert manager(0.2) == ["READY=1"]
    assert "no progress of decisions" in caplog.text


def test_a_thread_that_has_ended_is_not_stuck():
    heart = Heart()
    heart.beat()
    assert heart.stuck(time.monotonic() + 29) == []
    assert heart.stuck(time.monotonic() + 31) == ["MainThread"]
    heart.rest()
    assert heart.stuck(time.monotonic() + 31) == []


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "somewhere"])
def test_without_a_manager_nothing_happens(monkeypatch, address):
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    tell("READY=1")


def test_another_processs_watchdog_is_not_ours(manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with told(Heart()):
        assert manager(0.1) == ["READY=1"]


def test_the_example_is_watched_and_not_started_for_ever_where_that_mends_nothing():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert (service["Type"], service["RestartPreventExitStatus"], service["LimitNOFILE"]) == ("notify", "2", "65536")
    assert int(service["WatchdogSec"]) == 60
    assert unit["Unit"]["StartLimitBurst"] == "10"
    assert "\nEnvironment=XDG_CACHE_HOME=/var/cache/spectaclear\n" in UNIT.read_text()
    assert service["CacheDirectory"] == "spectaclear"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_example(tmp_path):
    copy = tmp_path / "spectaclear.service"
    copy.write_text(UNIT.read_text().replace("/opt/spectaclear/bin/spectaclear", "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    complaints = [line for line in checked.stderr.splitlines() if "spectaclear" in line]
    assert complaints == []

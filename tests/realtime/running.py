"""A run as a user starts it, in a process of its own, watched through its page; and processes that start at once."""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.forkserver
import os
import re
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
IMPORTED = ["realtime.__main__", "realtime.session", "realtime.commands.identify", "realtime.commands.check"]


def forking() -> ForkServerContext:
    """Makes processes out of one that has imported everything: they need no seconds for that."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        multiprocessing.forkserver.ensure_running()
    return context


def forked(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What a command line gives, in a process that ``forking`` makes; nothing may have been printed to it through rich,
    which measures the terminal as it is imported."""
    out, err = cwd / "stdout.txt", cwd / "stderr.txt"
    process = forking().Process(target=_command, args=([str(argument) for argument in arguments], cwd, out, err))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "it did not end"
    texts = out.read_text(), err.read_text()
    out.unlink()
    err.unlink()
    return subprocess.CompletedProcess(arguments, process.exitcode, *texts)


def _command(arguments: list[str], cwd: Path, out: Path, err: Path) -> None:
    from realtime.__main__ import main

    os.chdir(cwd)
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["spectaclear", *arguments]
    main()


class Running:
    """``python -m realtime`` with arguments; a context manager that leaves no process behind."""

    def __init__(self, *arguments: str | Path, cwd: Path, **environment: str) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "realtime", *self.arguments],
            cwd=cwd,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "DISPLAY": "",
                "WAYLAND_DISPLAY": "",
                "COLUMNS": "200",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out, self.err = "", ""
        pipes = {"out": self.process.stdout, "err": self.process.stderr}
        self._readers = [threading.Thread(target=self._read, args=pipe, daemon=True) for pipe in pipes.items()]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def wait(self, timeout: float = 120) -> int:
        """The exit code."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(5)
        return code

    def terminate(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; seconds until it has ended."""
        asked = time.monotonic()
        self.process.send_signal(number)
        self.wait(30)
        return time.monotonic() - asked

    def page(self, timeout: float = 120) -> str:
        """The page's address, as soon as it is printed."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(r"live page: (http\S+)", self.out):
                return found[1].rstrip("/")
            time.sleep(0.05)
        raise AssertionError(f"no page; it printed:\n{self.out}\n{self.err}")

    def get(self, path: str) -> bytes:
        """What the page answers, whatever its status."""
        try:
            with urlopen(self.page() + path, timeout=10) as answer:
                return bytes(answer.read())
        except URLError as error:
            if hasattr(error, "read"):
                return bytes(error.read())
            raise

    def cameras(self) -> dict[str, dict[str, Any]]:
        """The cameras by name, as the page has them."""
        return {camera["name"]: camera for camera in json.loads(self.get("/api/cameras"))["cameras"]}

    def wait_for(self, *, timeout: float = 120, **states: str) -> dict[str, dict[str, Any]]:
        """Wait until every named camera has its state; the cameras then."""
        end = time.monotonic() + timeout
        while True:
            found = self.cameras()
            if all(found[name]["state"] == state for name, state in states.items()):
                return found
            assert time.monotonic() < end, {name: (one["state"], one.get("cause")) for name, one in found.items()}
            time.sleep(0.1)

    def _read(self, name: str, pipe: IO[str]) -> None:
        for line in pipe:
            setattr(self, name, getattr(self, name) + line)

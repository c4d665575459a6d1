"""A run as a user starts it, in a process of its own, watched through its page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]


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

    def wait(self, timeout: float = 60) -> int:
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

    def page(self, timeout: float = 60) -> str:
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

    def wait_for(self, *, timeout: float = 40, **states: str) -> dict[str, dict[str, Any]]:
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

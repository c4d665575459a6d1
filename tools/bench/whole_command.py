"""Times a command of the program as its user waits for it: from the call to its end, Python's start included."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from models.errors import BadInput

_PATIENCE = 300.0  # seconds


def seconds_of(*arguments: str) -> float:
    """Of ``python -m realtime`` with these arguments, in a process of its own.

    Raises:
        BadInput: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "realtime", *arguments],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path) or os.getcwd()},
        check=False,
    )
    if done.returncode:
        raise BadInput(f"{' '.join(arguments[:2])} failed: {done.stderr.strip()[-300:]}")
    return time.perf_counter() - started

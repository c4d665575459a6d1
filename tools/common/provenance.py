"""Where a figure comes from: the day, the commit of this code and the command that was typed."""

from __future__ import annotations

import datetime
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from realtime.system.redact import redact


def command_line(module: str, arguments: Sequence[str] | None = None) -> str:
    """``python -m module`` with its arguments, without credentials and with absolute paths cut to their last part.

    A record is read on other machines, where the folders of this one mean nothing.
    """
    given = sys.argv[1:] if arguments is None else arguments
    words = [PurePath(word).name if PurePath(word).is_absolute() else word for word in given]
    return redact(shlex.join(["python", "-m", module, *words]))


def commit_of_this_tree() -> str:
    """The commit that this code stands at, ``+changes`` where files differ from it; "unknown" outside git."""
    folder = Path(__file__).parent
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def today() -> str:
    """The date, ISO, in UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def measured_by(module: str) -> dict[str, str]:
    """What every file of figures says of itself: ``date``, ``command`` and ``commit``."""
    return {"date": today(), "command": command_line(module), "commit": commit_of_this_tree()}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

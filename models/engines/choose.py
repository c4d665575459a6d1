"""``engine: auto``: the fastest engines here, tried once per machine, bundle and versions, in another process.

Which engines take part is said in ``models.engines.registry``.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict, cast

from models.bundle import Bundle
from models.engines import graphs, processor
from models.graphs.cache import cached

log = logging.getLogger(__name__)

#: How a trial is started, after the interpreter; ``-P``: nothing of the working directory is imported.
TRIAL = ("-P", "-m", "models.engines.trial")
_LONGEST = 600.0  # seconds of a trial: the first one builds the graphs, and the machine may be busy
_FROM_OUTSIDE = (signal.SIGINT, signal.SIGTERM)
_CLEARLY = 0.9  # another engine must need less than this share of the default's time


@dataclass(frozen=True)
class Choice:
    """``deciding``: the engine of everything that is decided on; ``explaining``: of saliency that decides nothing."""

    deciding: str
    explaining: str


class Tried(TypedDict, total=False):
    """Seconds of the default engine and of the one that was tried, for the parts that worked; why no further one did.

    ``views``: a crop and its views with a zone hidden; ``saliency``: a crop with its saliency.
    """

    views: tuple[float, float]
    saliency: tuple[float, float]
    failed: str


class _NotTried(Exception):
    """No process ran to its end or its own death: that says nothing about the engines, and is not remembered."""


def fastest_engines(
    bundle: Bundle, default: str, deciding: Sequence[str], explaining: Sequence[str], *, threads: int | None = None
) -> Choice:
    """Tried at the first start, for some seconds, then read from the cache; without others nothing is tried.

    Args:
        bundle: what they run; where it has no zones, saliency decides.
        default: taken unless another is clearly faster.
        deciding: the others that may decide.
        explaining: the others that may look at saliency that decides nothing.
        threads: of the engines.
    """
    names = list(dict.fromkeys((*deciding, *explaining)))
    tried = _remembered(bundle, default, names, threads) if names else {}
    parts = ("views",) if bundle.info.policy.zones else ("views", "saliency")
    decides = _best(default, {name: share(tried, name, *parts) for name in deciding})
    costs = {
        name: 1.0 if name == default else share(tried, name, "saliency") for name in (default, *explaining, decides)
    }
    explains = decides
    # A graph more holds the weights once more, and another library some 80 MB: only where that pays.
    for others in (_of_library(decides, costs), costs):
        best = min(others, key=others.__getitem__)
        if costs[best] < _CLEARLY * costs[explains]:
            explains = best
    return Choice(decides, explains)


def _of_library(engine: str, costs: Mapping[str, float]) -> dict[str, float]:
    library = engine.partition("-")[0]
    return {name: cost for name, cost in costs.items() if name.partition("-")[0] == library}


def share(tried: Mapping[str, Tried], name: str, *parts: str) -> float:
    """Of the default's time for these parts; infinite where one of them did not work."""
    seconds: dict[str, Any] = {**tried.get(name, {})}
    if any(part not in seconds for part in parts):
        return float("inf")
    return float(sum(seconds[part][1] for part in parts) / sum(seconds[part][0] for part in parts))


def _best(default: str, shares: dict[str, float]) -> str:
    best = min(shares, key=shares.__getitem__, default=default)
    return best if shares.get(best, 1.0) < _CLEARLY else default


def _remembered(bundle: Bundle, default: str, names: Sequence[str], threads: int | None) -> dict[str, Tried]:
    key = {
        "bundle": bundle.checksum,
        "zones": bundle.info.policy.zones,
        "ranges": bundle.info.calibration.get("int8"),
        "code": graphs.code(),
        "engines": [default, *names],
        "threads": threads,
        **fingerprint(),
    }
    try:
        content = cached("trial", key, lambda: json.dumps(_tried(bundle, default, names, threads)).encode())
        found: dict[str, Tried] = json.loads(content)
    except _NotTried as error:
        log.warning("engine auto: nothing could be tried, %s runs: %s", default, error)
        return {}
    return found


def fingerprint() -> dict[str, object]:
    """What an engine's speed, and whether it works at all, depend on: the processor and the libraries."""
    packages = ("onnxruntime", "onnxruntime-gpu", "openvino", "torch")
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": processor.name(),
        "versions": {name: _version(name) for name in packages},
    }


def _tried(bundle: Bundle, default: str, names: Sequence[str], threads: int | None) -> dict[str, Tried]:
    """All of them, in one process after another: a new one wherever an engine ended the last."""
    log.info("engine auto: tries %s, once on this machine", ", ".join(names))
    found: dict[str, Tried] = {}
    while left := [name for name in names if name not in found]:
        asked = {"bundle": str(bundle.folder.resolve()), "default": default, "names": left, "threads": threads}
        printed, failed = _in_child(asked)
        now = ""
        for line in printed.splitlines():
            if not line.startswith("{"):  # libraries may print too
                continue
            told = json.loads(line)
            now = told.pop("begun", now)
            found[now] = cast(Tried, found.get(now, {}) | told)
        if failed or not now:
            now, failed = now or left[0], failed or "its trial says nothing"
            found[now] = {**found.get(now, {}), "failed": failed}
            log.warning("engine auto: %s is left out: %s", now, failed)
    log.info("engine auto: %s", found)
    return found


def _in_child(asked: Mapping[str, object]) -> tuple[str, str]:
    """What a trial printed, and why it ended if not well.

    Raises:
        _NotTried: it cannot be started, or somebody ended it.
    """
    house = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (house, os.environ.get("PYTHONPATH"))))
    try:
        ended = subprocess.run(
            [sys.executable, *TRIAL],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            env={**os.environ, "PYTHONPATH": paths},
            check=False,
        )
        if -ended.returncode in _FROM_OUTSIDE:
            raise _NotTried("its process was ended")
        return ended.stdout, _why(ended.returncode, ended.stderr)
    except subprocess.TimeoutExpired as error:
        printed = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        return printed.rpartition("\n")[0], f"it was not done after {_LONGEST:.0f} s"
    except OSError as error:
        raise _NotTried(str(error)) from error


def _why(code: int, stderr: str) -> str:
    """Why a process ended that did not end well; empty: it did."""
    if code == 0:
        return ""
    if code < 0:
        try:
            return f"it ends its process ({signal.Signals(-code).name})"
        except ValueError:
            return f"it ends its process (signal {-code})"
    last = stderr.strip().splitlines()[-1:] or ["it says nothing"]
    return f"its process ends with {code}: {last[0]}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""

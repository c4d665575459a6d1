"""Runs engines beside the default one and says what each takes: ``python -m models.engines.trial``, a process of its
own, because an engine may end it (OpenVINO 2026.4.1 did on one machine: SIGFPE, in bfloat16).

Reads what to try from its standard input, as JSON, and prints a line of JSON for each engine that it begins with and
for every part that worked, so that whoever started it knows which one ended it, and what had worked before.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from models.bundle import Bundle, load_bundle
from models.crop.zones import every_view
from models.engines import graphs
from models.engines.base import Engine
from models.engines.registry import make_engine
from models.errors import BadInput

_REPEATS, _FEWEST, _ENOUGH = 5, 2, 4.0  # rounds of a part; on a slow machine fewer, after so many seconds
_CPU_SECONDS = 900  # an engine that turns in a circle ends by this; one on a busy machine does not


def parts_of(bundle: Bundle, default: Engine, tried: Engine) -> Iterator[tuple[str, tuple[float, float]]]:
    """The median seconds of both engines, in turn, for one crop: with its views, and its saliency."""
    size = bundle.info.input_size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    selection = every_view(bundle.info.policy.zones, 1)
    rows, percentile = graphs.some_rows(bundle), bundle.info.defence.percentile
    parts: dict[str, Callable[[Engine], object]] = {
        "views": lambda engine: engine.outputs(crop, selection),
        "saliency": lambda engine: engine.outputs_and_saliency(crop, rows, percentile),
    }
    for part, run in parts.items():
        seconds: tuple[list[float], list[float]] = ([], [])
        begun = time.perf_counter()
        for repeat in range(_REPEATS + 1):
            if repeat > _FEWEST and time.perf_counter() - begun > _ENOUGH:
                break
            for engine, times in zip((tried, default), seconds, strict=True):
                started = time.perf_counter()
                run(engine)
                if repeat:  # the first run allocates
                    times.append(time.perf_counter() - started)
        yield part, (statistics.median(seconds[1]), statistics.median(seconds[0]))


def main() -> None:
    """See the module."""
    _limit()
    asked = json.load(sys.stdin)
    bundle, threads = load_bundle(asked["bundle"]), asked["threads"]
    default: Engine | None = None
    for name in asked["names"]:
        _say(begun=name)
        try:
            tried = make_engine(name, bundle, threads=threads)  # first: one that cannot run costs no more than that
            default = default or make_engine(asked["default"], bundle, threads=threads)
            for part, seconds in parts_of(bundle, default, tried):
                _say(**{part: seconds})
        except BadInput as error:
            _say(failed=str(error))


def _say(**told: Any) -> None:
    print(json.dumps(told), flush=True)


def _limit() -> None:
    """What dies here dies expectedly: a core would fill the working directory."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))


if __name__ == "__main__":
    main()

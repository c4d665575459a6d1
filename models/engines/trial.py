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

_REPEATS = 5


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
        for repeat in range(_REPEATS + 1):
            for engine, times in zip((tried, default), seconds, strict=True):
                started = time.perf_counter()
                run(engine)
                if repeat:  # the first run allocates
                    times.append(time.perf_counter() - started)
        yield part, (statistics.median(seconds[1]), statistics.median(seconds[0]))


def main() -> None:
    """See the module."""
    _leave_no_core()
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


def _leave_no_core() -> None:
    """What dies here dies expectedly; a core would fill the working directory."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()

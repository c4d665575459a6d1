"""``engine: auto``: the fastest engine here, measured once per machine, bundle and versions.

Which engines take part is said in ``models.engines.registry``.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import statistics
import time
from collections.abc import Sequence
from importlib import metadata
from typing import Protocol

import numpy as np

from models.bundle import Bundle
from models.crop.zones import every_view
from models.engines import graphs
from models.engines.base import Engine
from models.errors import BadInput
from models.graphs.cache import cached


class MakeEngine(Protocol):
    """``models.engines.registry.make_engine``."""

    def __call__(self, name: str, bundle: Bundle, *, threads: int | None = None) -> Engine: ...


log = logging.getLogger(__name__)

_REPEATS = 5
_CLEARLY = 0.9  # another engine must need less than this share of the default's time


def fastest_engine(
    bundle: Bundle, default: str, others: Sequence[str], make: MakeEngine, *, threads: int | None = None
) -> str:
    """The name of an engine; measured at the first start (about two seconds), then read from the cache.

    Where there are no ``others`` nothing is measured.
    """
    if not others:
        return default
    key = {
        "bundle": bundle.checksum,
        "zones": bundle.info.policy.zones,
        "code": graphs.code(),
        "engines": list(others),
        "threads": threads,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": _processor(),
        "versions": {name: _version(name) for name in ("onnxruntime", "onnxruntime-gpu", "openvino")},
    }
    names = [default, *others]
    measured = cached("engine", key, lambda: json.dumps(_measure(bundle, names, make, threads)).encode())
    seconds: dict[str, float] = json.loads(measured)
    fastest = min(seconds, key=seconds.__getitem__)
    return fastest if seconds[fastest] < _CLEARLY * seconds[default] else default


def _measure(bundle: Bundle, names: Sequence[str], make: MakeEngine, threads: int | None) -> dict[str, float]:
    """Median seconds of a defended pass and of a classification of one crop with its zone views, in turn.

    An engine that does not work here is left out, except the first, the default.
    """
    engines: dict[str, Engine] = {names[0]: make(names[0], bundle, threads=threads)}
    for name in names[1:]:
        try:
            engines[name] = make(name, bundle, threads=threads)
        except BadInput as error:
            log.info("engine auto: %s is left out: %s", name, error)
    size = bundle.info.input_size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    selection, rows = every_view(bundle.info.policy.zones, 1), graphs.some_rows(bundle)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for repeat in range(_REPEATS + 1):
        for name, engine in engines.items():
            started = time.perf_counter()
            engine.outputs_and_saliency(crop, rows, bundle.info.defence.percentile)
            engine.outputs(crop, selection)
            if repeat:  # the first run allocates
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    log.info("engine auto: %s", ", ".join(f"{name} {value * 1e3:.0f} ms" for name, value in medians.items()))
    return medians


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""

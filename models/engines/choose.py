"""``engine: auto``: the fastest engine here, measured once per machine, bundle and versions.

An 8-bit engine takes part only where the bundle says that it was measured and cost no accuracy: its name is in
``calibration.int8.accepted``, written by ``tools.precision``.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import platform
import statistics
import time
from importlib import metadata

import numpy as np

from models.bundle import Bundle
from models.crop.zones import every_look
from models.engines import graphs
from models.engines.base import Engine, make_engine
from models.errors import BadInput
from models.graphs.cache import cached

log = logging.getLogger(__name__)

DEFAULT = "onnxruntime"
_OTHERS = ("openvino",)
_REPEATS = 5
_CLEARLY = 0.9  # another engine must need less than this share of the default's time


def fastest_engine(bundle: Bundle, *, threads: int | None = None) -> str:
    """The name of an engine; measured at the first start (about two seconds), then read from the cache.

    Where there is no choice nothing is measured.
    """
    installed = [name for name in _OTHERS if importlib.util.find_spec(name) is not None]
    accepted = accepted_int8(bundle)
    others = installed + [name for base in (DEFAULT, *installed) if (name := f"{base}-int8") in accepted]
    if not others:
        return DEFAULT
    key = {
        "bundle": bundle.checksum,
        "zones": bundle.info.policy.zones,
        "code": graphs.code(),
        "engines": others,
        "threads": threads,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": _processor(),
        "versions": {name: _version(name) for name in ("onnxruntime", "onnxruntime-gpu", *installed)},
    }
    measured = cached("engine", key, lambda: json.dumps(_measure(bundle, others, threads)).encode())
    seconds: dict[str, float] = json.loads(measured)
    fastest = min(seconds, key=seconds.__getitem__)
    return fastest if seconds[fastest] < _CLEARLY * seconds[DEFAULT] else DEFAULT


def accepted_int8(bundle: Bundle) -> list[str]:
    """The 8-bit engines of which the bundle holds a measurement that they cost no accuracy."""
    record = bundle.info.calibration.get("int8")
    found = record.get("accepted") if isinstance(record, dict) else None
    return [str(name) for name in found] if isinstance(found, list) else []


def _measure(bundle: Bundle, others: list[str], threads: int | None) -> dict[str, float]:
    """Median seconds of a defended pass and of a classification of one crop with its zone views, in turn."""
    engines: dict[str, Engine] = {DEFAULT: make_engine(DEFAULT, bundle, threads=threads)}
    for name in others:
        try:
            engines[name] = make_engine(name, bundle, threads=threads)
        except BadInput as error:
            log.info("engine auto: %s is left out: %s", name, error)
    size = bundle.info.input_size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    looks = every_look(bundle.info.policy.zones, 1)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for repeat in range(_REPEATS + 1):
        for name, engine in engines.items():
            started = time.perf_counter()
            engine.logits_and_saliency(crop, bundle.info.defence.percentile)
            engine.logits(crop, looks)
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

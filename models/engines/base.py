"""The protocol that every engine fulfils, and the choice among them."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.crop.zones import Looks
from models.engines.graphs import Precision
from models.errors import BadInput

ENGINES = (
    "auto",
    "torch",
    "onnxruntime",
    "onnxruntime-cpu",
    "onnxruntime-cuda",
    "onnxruntime-tensorrt",
    "onnxruntime-int8",
    "openvino",
    "openvino-int8",
)


class Engine(Protocol):
    """Runs one bundle's network on uint8 RGB crops (N, S, S, 3); N may be 0. For one thread at a time."""

    name: str
    """What really runs, for example ``onnxruntime 1.24.0 (CPUExecutionProvider)``."""

    def logits(self, crops: Bytes, looks: Looks | None = None) -> Floats:
        """(N, S, S, 3) -> (N, K); with ``looks`` (N + M, K), those of the crops and then those of their M views."""

    def logits_and_saliency(self, crops: Bytes, percentile: float, looks: Looks | None = None) -> tuple[Floats, Floats]:
        """(N, S, S, 3) -> ``logits`` and the scaled guided saliency of each crop's top-1 logit (N, S, S) in [0, 1]."""


class OneAtATime:
    """An engine that several threads may call: each waits until the pass of another is over.

    Torch's hooks, OpenVINO's requests and the buffers on a GPU are not made for two passes at once, and on a
    processor two passes would take the cores from each other.
    """

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._engine = engine
        self._turn = threading.Lock()

    def logits(self, crops: Bytes, looks: Looks | None = None) -> Floats:
        with self._turn:
            return self._engine.logits(crops, looks)

    def logits_and_saliency(self, crops: Bytes, percentile: float, looks: Looks | None = None) -> tuple[Floats, Floats]:
        with self._turn:
            return self._engine.logits_and_saliency(crops, percentile, looks)


def with_views_apart(
    engine: Engine, crops: Bytes, percentile: float, looks: Looks, fill_rgb: tuple[int, int, int]
) -> tuple[Floats, Floats]:
    """``logits_and_saliency`` with ``looks`` where the views are crops like others."""
    logits, saliency = engine.logits_and_saliency(crops, percentile)
    return np.concatenate([logits, engine.logits(looks.views(crops, fill_rgb))]), saliency


def make_engine(name: str, bundle: Bundle, *, threads: int | None = None, strict: bool = False) -> Engine:
    """An engine by name.

    Args:
        name: one of ``ENGINES``. ``onnxruntime`` takes a GPU where there is one, ``auto`` the fastest engine on
            this machine, found by a short measurement at the first start; 8-bit ones (``-int8``, on the CPU)
            take part where the bundle holds a measurement that they cost no accuracy.
        bundle: what to run.
        threads: for the CPU; None leaves the number to the engine.
        strict: refuse to run on another device than asked for, instead of falling back to the CPU.

    Raises:
        BadInput: no such engine, its package is not installed, or strict and the device does not work.
    """
    if name not in ENGINES:
        raise BadInput(f"engine {name!r}: no such engine; known are {', '.join(ENGINES)}")
    if name == "auto":
        from models.engines.choose import fastest_engine

        name = fastest_engine(bundle, threads=threads)
    if name == "torch":  # each engine is imported by its own users only: torch alone takes seconds
        from models.engines.torch_engine import TorchEngine

        return TorchEngine(bundle, threads=threads)
    precision: Precision = "int8" if name.endswith("-int8") else "float32"
    if name.startswith("openvino"):
        from models.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(bundle, threads=threads, precision=precision)
    from models.engines.onnxruntime_engine import OnnxRuntimeEngine
    from models.engines.providers import device_of

    return OnnxRuntimeEngine(bundle, threads=threads, device=device_of(name), strict=strict, precision=precision)

"""Every engine by name, and how it is opened. A new engine is a row of ``ENGINES`` and a file beside this one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.bundle import Bundle
from models.engines.base import Engine
from models.engines.choose import fastest_engine
from models.engines.graphs import Precision
from models.engines.providers import Device
from models.errors import BadInput

AUTO = "auto"
DEFAULT = "onnxruntime"

#: Whether ``auto`` may take an engine: never, where its package is installed, or where the bundle says too that it was
#: measured and cost no accuracy.
Chosen = Literal["never", "installed", "measured"]


@dataclass(frozen=True)
class Kind:
    """One engine.

    Attributes:
        load: opens it for a bundle; imports the engine, so that only its own users pay for that (torch takes seconds).
        package: what has to be installed.
        precision: of what it computes.
        device: what it runs on; "auto": a GPU where there is one.
        chosen: whether ``auto`` may take it.
    """

    load: Callable[[Bundle, Kind, int | None, bool], Engine]
    package: str
    precision: Precision = "float32"
    device: Device = "cpu"
    chosen: Chosen = "never"

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


def _torch(bundle: Bundle, kind: Kind, threads: int | None, strict: bool) -> Engine:
    from models.engines.torch_engine import TorchEngine

    return TorchEngine(bundle, threads=threads)


def _onnxruntime(bundle: Bundle, kind: Kind, threads: int | None, strict: bool) -> Engine:
    from models.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, threads=threads, device=kind.device, strict=strict, precision=kind.precision)


def _openvino(bundle: Bundle, kind: Kind, threads: int | None, strict: bool) -> Engine:
    from models.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(bundle, threads=threads, precision=kind.precision)


ENGINES: dict[str, Kind] = {
    "torch": Kind(_torch, "torch"),
    DEFAULT: Kind(_onnxruntime, "onnxruntime", device="auto"),
    "onnxruntime-cpu": Kind(_onnxruntime, "onnxruntime"),
    "onnxruntime-cuda": Kind(_onnxruntime, "onnxruntime", device="cuda"),
    "onnxruntime-tensorrt": Kind(_onnxruntime, "onnxruntime", device="tensorrt"),
    "onnxruntime-int8": Kind(_onnxruntime, "onnxruntime", precision="int8", chosen="measured"),
    "openvino": Kind(_openvino, "openvino", chosen="installed"),
    "openvino-int8": Kind(_openvino, "openvino", precision="int8", chosen="measured"),
}


def make_engine(name: str, bundle: Bundle, *, threads: int | None = None, strict: bool = False) -> Engine:
    """An engine by name.

    Args:
        name: one of ``ENGINES``, or ``auto``: the fastest engine on this machine, found by a short measurement at the
            first start; 8-bit ones take part where the bundle holds a measurement that they cost no accuracy.
        bundle: what to run.
        threads: for the CPU; None leaves the number to the engine.
        strict: refuse to run on another device than asked for, instead of falling back to the CPU.

    Raises:
        BadInput: no such engine, its package is not installed, or strict and the device does not work.
    """
    if name == AUTO:
        name = fastest_engine(bundle, DEFAULT, candidates(bundle), make_engine, threads=threads)
    if name not in ENGINES:
        raise BadInput(f"engine {name!r}: no such engine; known are {', '.join((AUTO, *ENGINES))}")
    kind = ENGINES[name]
    return kind.load(bundle, kind, threads, strict)


def candidates(bundle: Bundle) -> list[str]:
    """The engines that ``auto`` compares with the default one."""
    accepted = bundle.accepted_int8
    return [
        name
        for name, kind in ENGINES.items()
        if kind.chosen != "never" and kind.installed and (kind.chosen == "installed" or name in accepted)
    ]

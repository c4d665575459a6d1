"""Every engine by name, and how it is opened. A new engine is a row of ``ENGINES`` and a file beside this one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.bundle import Bundle
from models.engines.base import Engine
from models.engines.choose import Choice, fastest_engines
from models.engines.graphs import Precision
from models.engines.providers import Device
from models.errors import BadInput

AUTO = "auto"
DEFAULT = "onnxruntime"

#: Whether ``auto`` may take an engine for what is decided on: never, where its package is installed, or where the
#: bundle says too that it was measured and cost no accuracy. For saliency that decides nothing the last two are one.
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
    "onnxruntime-tensorrt-f16": Kind(_onnxruntime, "onnxruntime", precision="float16", device="tensorrt"),
    "onnxruntime-bf16": Kind(_onnxruntime, "onnxruntime", precision="bfloat16"),  # emulated, to measure what it costs
    "onnxruntime-int8": Kind(_onnxruntime, "onnxruntime", precision="int8", chosen="measured"),
    "openvino": Kind(_openvino, "openvino", chosen="installed"),
    "openvino-bf16": Kind(_openvino, "openvino", precision="bfloat16", chosen="measured"),
    "openvino-f16": Kind(_openvino, "openvino", precision="float16", chosen="measured"),
    "openvino-int8": Kind(_openvino, "openvino", precision="int8", chosen="measured"),
}


def make_engine(name: str, bundle: Bundle, *, threads: int | None = None, strict: bool = False) -> Engine:
    """An engine by name.

    Args:
        name: one of ``ENGINES``, or ``auto``: see ``engines_for``; that which decides.
        bundle: what to run.
        threads: for the CPU; None leaves the number to the engine.
        strict: refuse to run on another device than asked for, instead of falling back to the CPU.

    Raises:
        BadInput: no such engine, its package is not installed, or strict and the device does not work.
    """
    if name == AUTO:
        name = engines_for(bundle, threads=threads).deciding
    if name not in ENGINES:
        raise BadInput(f"engine {name!r}: no such engine; known are {', '.join((AUTO, *ENGINES))}")
    kind = ENGINES[name]
    return kind.load(bundle, kind, threads, strict)


def engines_for(bundle: Bundle, *, threads: int | None = None) -> Choice:
    """``auto``: the fastest engines on this machine, tried at the first start in processes of their own.

    In half precision and 8 bits an engine decides where the bundle holds a measurement that this costs no accuracy;
    saliency that decides nothing is looked at in whatever is fastest.
    """
    return fastest_engines(bundle, DEFAULT, candidates(bundle), _explaining(), threads=threads)


def candidates(bundle: Bundle) -> list[str]:
    """The engines that ``auto`` compares with the default one, to decide."""
    accepted = bundle.accepted_engines
    return [name for name in _explaining() if ENGINES[name].chosen == "installed" or name in accepted]


def _explaining() -> list[str]:
    return [name for name, kind in ENGINES.items() if kind.chosen != "never" and kind.installed]

"""ONNX Runtime sessions: explicit threads, no spinning, and the truth about which provider runs.

ONNX Runtime lists providers that it was built with, not those that work here, and falls back to the CPU
without an error. Only ``session.get_providers()`` tells what really runs, so that is what is reported, and
the strict mode refuses anything else than what was asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any, Literal

import onnxruntime

from models.errors import BadInput, first_line
from models.graphs.cache import cache_folder

log = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda", "tensorrt"]

_PROVIDER = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_GPU_LIBRARY = {"win32": "nvcuda.dll"}.get(sys.platform, "libcuda.so.1")
_QUIET = 3  # errors only
_SILENT, _USUAL = 4, 2  # of the logger that all sessions share: fatal errors only, and ONNX Runtime's own default


def nvidia_driver() -> bool:
    """Whether an NVIDIA driver is installed: without it no CUDA session can work, and trying costs seconds."""
    try:
        ctypes.CDLL(_GPU_LIBRARY)
    except OSError:
        return False
    return True


def wanted_providers(device: Device) -> list[str]:
    """In order of preference.

    ``auto`` tries CUDA where there is a driver. TensorRT builds its engine for minutes, so it must be asked for.
    """
    available = onnxruntime.get_available_providers()
    if device == "auto":
        wanted = [_PROVIDER["cuda"]] if nvidia_driver() else []
    elif device == "tensorrt":
        wanted = [_PROVIDER["tensorrt"], _PROVIDER["cuda"]]
    else:
        wanted = [_PROVIDER[device]]
    return [name for name in wanted if name in available and name != _PROVIDER["cpu"]] + [_PROVIDER["cpu"]]


def open_session(
    graph: bytes, *, device: Device = "auto", threads: int | None = None, strict: bool = False, half: bool = False
) -> Any:
    """An ``onnxruntime.InferenceSession``.

    Args:
        graph: serialised model.
        device: which provider to prefer.
        threads: of the CPU kernels; None lets ONNX Runtime take every core.
        strict: refuse to run anywhere else than on ``device``.
        half: TensorRT may compute in float16.

    Raises:
        BadInput: strict, and another provider runs; or the model cannot be loaded.
    """
    wanted = wanted_providers(device)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = _QUIET
    for pool in ("intra", "inter"):  # spinning threads take the cores from the detector and the camera
        options.add_session_config_entry(f"session.{pool}_op.allow_spinning", "0")
    try:
        with contextlib.nullcontext() if wanted[0] == _PROVIDER["cpu"] else _without_complaints():
            if wanted[0] != _PROVIDER["cpu"] and hasattr(onnxruntime, "preload_dlls"):  # since 1.21
                onnxruntime.preload_dlls()  # the CUDA libraries that come as wheels
            session = onnxruntime.InferenceSession(
                graph, options, providers=[_with_options(name, half) for name in wanted]
            )
    except Exception as error:  # its exceptions share no base class
        raise BadInput(f"onnxruntime {onnxruntime.__version__} cannot load the graph: {first_line(error)}") from error
    _forget_the_graph(session)
    give_memory_back()
    running = session.get_providers()[0]
    asked = _PROVIDER.get(device, wanted[0])
    if running != asked:
        message = (
            f"engine onnxruntime: {asked} was asked for, {running} runs; "
            f"{_advice(asked)}, or choose engine onnxruntime-cpu"
        )
        if strict:
            raise BadInput(message)
        log.warning("%s", message)
    return session


@contextlib.contextmanager
def _without_complaints() -> Iterator[None]:
    """That a provider was not loaded is said once, by us: ONNX Runtime fills stderr with it, and stdout too."""
    printed = io.StringIO()
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        onnxruntime.set_default_logger_severity(_USUAL)
        if printed.getvalue():
            log.info("onnxruntime: %s", " ".join(printed.getvalue().split()))


def _forget_the_graph(session: Any) -> None:
    """A session keeps the serialised model, 15 MB for one of ours, to begin again where a GPU's provider fails."""
    if hasattr(session, "_model_bytes"):  # nothing public lets go of it
        session.disable_fallback()
        session._model_bytes = None


def give_memory_back() -> None:
    """Loading a graph leaves some 250 MB of copies of the weights in glibc's heap, freed but kept by the process."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _with_options(provider: str, half: bool) -> str | tuple[str, dict[str, str]]:
    if provider == _PROVIDER["cuda"]:  # TF32 keeps 10 bits: saliency would differ from the reference
        return provider, {"use_tf32": "0"}
    if provider == _PROVIDER["tensorrt"]:
        folder = str(cache_folder() / "tensorrt")
        return provider, {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": folder,
            "trt_fp16_enable": str(int(half)),
        }
    return provider


def _advice(provider: str) -> str:
    if provider not in onnxruntime.get_available_providers():
        return "install the package onnxruntime-gpu in place of onnxruntime"
    if not nvidia_driver():
        return "install the NVIDIA driver"
    return "install the CUDA and cuDNN libraries that it needs (pip install onnxruntime-gpu[cuda,cudnn])"

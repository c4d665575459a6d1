"""From a camera to a verdict, live: cameras, faces, verdicts, outputs."""

from typing import TYPE_CHECKING, Any

from models.no_telemetry import switch_off

if TYPE_CHECKING:
    from realtime.library import explain as explain
    from realtime.library import stream as stream
    from realtime.library import watch as watch

switch_off()  # before anything imports ONNX Runtime or OpenVINO


def __getattr__(name: str) -> Any:
    """What a Python program calls is read when it is called: a command that needs nothing of it starts sooner."""
    if name in ("explain", "stream", "watch"):
        from realtime import library

        return getattr(library, name)
    raise AttributeError(f"module 'realtime' has no attribute {name!r}")

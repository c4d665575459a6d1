"""Picks the kind of camera from a source string."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from models.errors import BadInput
from realtime.cameras.address import parse_address, scheme_of
from realtime.cameras.camera import Camera
from realtime.cameras.rtsp import NetworkStream, Transport
from realtime.cameras.video_file import VideoFile
from realtime.cameras.webcam import Webcam
from realtime.system.redact import redact

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")


def _demo(name: str) -> Camera:
    from realtime.cameras.demo import DemoCamera
    from realtime.cameras.demo_scene import DemoScene

    return DemoCamera(DemoScene(), name=name)


_registered: dict[str, Callable[[str], Camera]] = {"demo": _demo}


def register_camera(source: str, factory: Callable[[str], Camera]) -> None:
    """Make ``source`` (a word, such as ``demo``) a kind of its own; ``factory`` gets the camera's name."""
    _registered[source] = factory


def is_file(source: str) -> bool:
    """Whether ``source`` names a file: something that ends, and that no reconnecting brings back."""
    return source not in _registered and scheme_of(source) in (None, "file") and _device(source) is None


def is_live(source: str) -> bool:
    """Whether ``source`` is a camera in the world, a webcam or an address, which waits for nobody and may be away."""
    return source not in _registered and not is_file(source)


def open_camera(
    source: str,
    *,
    name: str | None = None,
    every_frame: bool = False,
    open_timeout: float = 5.0,
    read_timeout: float = 5.0,
    transport: Transport = "tcp",
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
) -> Camera:
    """Open ``source``: a camera's number (``0``), ``rtsp://``, ``http(s)://``, a file, or a registered word.

    Raises ``CameraError`` where the camera gives no pictures and ``BadInput`` where the string is no source.
    """
    source = source.strip()
    if not source:
        raise BadInput("the source is empty; give a camera's number, an address (rtsp://...) or a file")
    if source in _registered:
        return _registered[source](name or source)
    scheme = scheme_of(source)
    if scheme in NETWORK_SCHEMES:
        address = parse_address(source)
        return NetworkStream(
            address, name=name, open_timeout=open_timeout, read_timeout=read_timeout, transport=transport
        )
    if scheme is not None and scheme != "file":
        near = difflib.get_close_matches(scheme, NETWORK_SCHEMES, 1)
        hint = f"did you mean {near[0]}://?" if near else f"use one of {', '.join(NETWORK_SCHEMES)}"
        raise BadInput(f"{redact(source)} has an unknown scheme {scheme!r}; {hint}")
    device = _device(source)
    if device is not None:
        return Webcam(device, name=name, width=width, height=height, fps=fps)
    return VideoFile(Path(source.removeprefix("file://")), name=name, every_frame=every_frame)


def _device(source: str) -> int | str | None:
    if source.isascii() and source.isdigit():
        return int(source)
    return source if source.startswith("/dev/video") else None

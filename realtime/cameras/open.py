"""The kinds of cameras, and which of them a source string means."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from models.errors import BadInput
from realtime.cameras import rtsp, video_file, webcam
from realtime.cameras.address import scheme_of
from realtime.cameras.camera import Camera, CameraKind
from realtime.settings.config import CameraConfig
from realtime.system.redact import redact


def _demo(config: CameraConfig) -> Camera:
    from realtime.cameras.demo import DemoCamera  # only who plays it loads the scene
    from realtime.cameras.demo_scene import DemoScene

    return DemoCamera(DemoScene(), name=config.name)


_DEMO = CameraKind("demo", "scene", _demo, takes=lambda source: source == "demo")
_kinds: list[CameraKind] = [_DEMO, rtsp.KIND, webcam.KIND, video_file.KIND]
"""The first that knows a source has it. A new kind: its file, a line here, and its options in ``CameraConfig``."""


def register_kind(kind: CameraKind) -> None:
    """Add a kind of camera; it is asked before those that are there, and replaces one of its name."""
    _kinds[:] = [kind, *(other for other in _kinds if other.name != kind.name)]


def register_camera(source: str, factory: Callable[[str], Camera]) -> None:
    """Make ``source`` (a word, such as ``demo``) a kind of its own; ``factory`` gets the camera's name."""
    register_kind(CameraKind(source, "scene", lambda config: factory(config.name), takes=lambda other: other == source))


def is_file(source: str) -> bool:
    """Whether ``source`` names a file: something that ends, and that no reconnecting brings back."""
    kind = _kind_of(source)
    return kind is not None and kind.nature == "file"


def may_be_opened_twice(source: str) -> bool:
    """Whether looking at ``source`` before playing it takes nothing away: it is a file and no pipe."""
    return is_file(source) and not Path(source.strip().removeprefix("file://")).is_fifo()


def is_live(source: str) -> bool:
    """Whether ``source`` is a camera in the world, a webcam or an address, which waits for nobody and may be away."""
    kind = _kind_of(source)
    return kind is None or kind.nature == "live"


def open_camera(source: str | CameraConfig, *, name: str | None = None, every_frame: bool = False) -> Camera:
    """Open a camera as configured; a bare ``source`` has every other setting at its default.

    Raises ``CameraError`` where the camera gives no pictures and ``BadInput`` where the string is no source.
    """
    if isinstance(source, str):
        if not source.strip():
            raise BadInput("the source is empty; give a camera's number, an address (rtsp://...) or a file")
        config = CameraConfig(source=source, every_frame=every_frame).model_copy(
            update={"name": name or redact(source)}
        )
    else:
        config = source
    config = config.model_copy(update={"source": config.source.strip()})
    kind = _kind_of(config.source)
    if kind is None:
        raise BadInput(_unknown(config.source))
    return kind.open(config)


def _kind_of(source: str) -> CameraKind | None:
    return next((kind for kind in _kinds if kind.is_of(source.strip())), None)


def _unknown(source: str) -> str:
    schemes = [scheme for kind in _kinds for scheme in kind.schemes if kind.nature == "live"]
    scheme = scheme_of(source)
    near = difflib.get_close_matches(scheme or "", schemes, 1)
    hint = f"did you mean {near[0]}://?" if near else f"use one of {', '.join(schemes)}"
    return f"{redact(source)} has an unknown scheme {scheme!r}; {hint}"

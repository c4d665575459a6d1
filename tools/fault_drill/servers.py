"""The failing cameras in a process of their own: what they cost must not be counted against who watches them."""

from __future__ import annotations

import multiprocessing
from multiprocessing.managers import BaseManager
from typing import Any

from tools.fault_drill.http_server import GarbageServer, MjpegServer
from tools.fault_drill.rtsp_server import RtspServer

_FOR_ALL = ("url", "where", "set", "get", "cut", "close")


class _Manager(BaseManager):
    pass


_Manager.register("rtsp", RtspServer, exposed=(*_FOR_ALL, "pause_within_a_picture", "go_on"))
_Manager.register("mjpeg", MjpegServer, exposed=_FOR_ALL)
_Manager.register("garbage", GarbageServer, exposed=_FOR_ALL)


class ServerProcess:
    """Starts servers elsewhere; a context manager. What its methods give can do what the servers' methods do."""

    def __init__(self) -> None:
        # "spawn": this process has threads, and libraries that do not survive a fork.
        self._manager = _Manager(ctx=multiprocessing.get_context("spawn"))

    def __enter__(self) -> ServerProcess:
        self._manager.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.shutdown()

    def rtsp(self, *arguments: Any, **named: Any) -> Any:
        """An ``RtspServer``."""
        return self._manager.rtsp(*arguments, **named)  # type: ignore[attr-defined]

    def mjpeg(self, *arguments: Any, **named: Any) -> Any:
        """An ``MjpegServer``."""
        return self._manager.mjpeg(*arguments, **named)  # type: ignore[attr-defined]

    def garbage(self) -> Any:
        """A ``GarbageServer``."""
        return self._manager.garbage()  # type: ignore[attr-defined]

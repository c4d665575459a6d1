"""A TCP server on loopback: what the cameras that fail have in common."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any, Self


class LoopbackServer:
    """Accepts connections, each served by a thread of its own, until it is closed; a context manager.

    Every public attribute may be changed while it serves, also from another process (``set``).
    """

    def __init__(self, *, port: int = 0) -> None:
        """``port`` 0 takes a free one."""
        self.open_connections: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", port))
        self._port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._port

    def where(self) -> int:
        """The port, as a call (what stands behind a process boundary has no attributes)."""
        return self._port

    def set(self, name: str, value: Any) -> None:
        """Change an attribute."""
        setattr(self, name, value)

    def get(self, name: str) -> Any:
        """Read an attribute."""
        return getattr(self, name)

    def cut(self) -> None:
        """End every connection."""
        for connection in list(self.open_connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End every connection and accept none any more."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # closing alone does not wake the thread that accepts
        self._server.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self, connection: socket.socket) -> None:
        """Talk to one client; overridden. ``OSError`` ends it."""

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.open_connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.serve(connection)
        self.open_connections.discard(connection)

"""Motion JPEG over HTTP on loopback, and a camera that speaks no protocol at all."""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Sequence

from tools.fault_drill.loopback import LoopbackServer


class MjpegServer(LoopbackServer):
    """Sends ``jpegs`` again and again at ``fps`` to everybody who connects, whatever is asked for."""

    def __init__(self, jpegs: Sequence[bytes], *, fps: float = 25.0, port: int = 0) -> None:
        self.jpegs, self.fps = list(jpegs), fps
        self.sent = 0
        super().__init__(port=port)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def serve(self, connection: socket.socket) -> None:
        connection.recv(65536)
        kind = b"multipart/x-mixed-replace; boundary=frame"
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\n" % kind)
        due = time.monotonic()
        for jpeg in itertools.cycle(self.jpegs):
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            connection.sendall(head + jpeg + b"\r\n")
            self.sent += 1
            due = max(due + 1 / self.fps, time.monotonic() - 0.5)
            time.sleep(max(due - time.monotonic(), 0))


class GarbageServer(LoopbackServer):
    """Answers everybody with random bytes under the name of a video, for ever, ``rate`` bytes a second."""

    def __init__(self, *, rate: float = 500_000, port: int = 0) -> None:
        self.rate = rate
        super().__init__(port=port)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def serve(self, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/x-something\r\n\r\n")
        rng = random.Random(0)
        while True:
            connection.sendall(rng.randbytes(4096))
            time.sleep(4096 / self.rate)

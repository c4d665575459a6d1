"""Real encoded videos, servers that misbehave, and cameras that do what a test tells them."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
import pytest

from realtime.cameras import BackOff, CameraError, Cause, NewestFrame, frame_now
from tools.fault_drill import pictures
from tools.fault_drill.pictures import number_of, numbered_picture  # noqa: F401 (through kit)

SIZE = (160, 120)


def write_video(
    path, numbers=range(25), *, fps=25, size=SIZE, key_every=10, codec="libx264", options=None, format=None, slices=1
):
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = key_every
        if codec == "libx264":
            stream.options = {
                "preset": "veryfast",
                "tune": "zerolatency",
                "x264-params": f"scenecut=0:keyint={key_every}:slices={slices}",
            }
        for number in numbers:
            picture = numbered_picture(number, size) if isinstance(number, int) else number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "clip.mp4")


class ScriptedCamera:
    """Gives what its script says: a number (a frame), a float (seconds to wait), a call or an exception."""

    real_time = True
    native_fps = 25.0

    def __init__(self, script, name="scripted", finish=None):
        self.name = name
        self._finish = finish or threading.Event()
        self.dropped = Counter()
        self.closed = False
        self._script = iter(script)
        self._index = 0

    def read(self):
        for step in self._script:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, float):
                self._finish.wait(step)
                continue
            if callable(step):
                step()
                continue
            self._index += 1
            return frame_now(self.name, self._index - 1, np.full((4, 4, 3), step, np.uint8))
        raise CameraError(Cause.END_OF_FILE, "the script has ended", permanent=True)

    def close(self):
        self.closed = True


@pytest.fixture
def capture():
    """Starts a capture of scripts, one per connection (the last one again and again)."""
    started = []
    finish = threading.Event()

    def start(*scripts, **options):
        opened = []

        def open_camera():
            script = scripts[min(len(opened), len(scripts) - 1)]
            opened.append(None)
            if isinstance(script, BaseException):
                raise script
            opened[-1] = ScriptedCamera(script, finish=finish)
            return opened[-1]

        source = NewestFrame("door", open_camera, **{"back_off": BackOff(first=0.02, longest=0.05), **options})
        source.opened = opened
        started.append(source)
        return source

    yield start
    finish.set()
    for source in started:
        source.stop()


@contextmanager
def tcp_server(handle):
    """A loopback server; ``handle(connection)`` runs in a thread per connection. Yields the port."""
    server = socket.create_server(("127.0.0.1", 0))
    connections = []

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def serve(connection):
        with connection, suppress(OSError):
            handle(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # closing alone does not wake the thread that accepts
        server.close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mjpeg_server():
    """An HTTP camera on loopback that sends ``server.pictures`` (JPEG bytes) at 25 a second, then hangs up."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            credentials = self.headers.get("Authorization")
            server.requests.append((self.path, credentials))
            status = 401 if server.asks_for_password and not credentials else server.status
            if status != 200:
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(OSError):
                for jpeg in server.pictures:
                    self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                    self.wfile.write(jpeg + b"\r\n")
                    time.sleep(0.04)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.status, server.asks_for_password, server.requests = 200, False, []
    server.pictures = [jpeg_of(number) for number in range(30)]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def jpeg_of(number):
    return pictures.jpeg_of(numbered_picture(number))


def read_all(camera):
    """Every frame until the camera ends, and the error that ended it."""
    frames = []
    while True:
        try:
            frames.append(camera.read())
        except CameraError as error:
            return frames, error


def take_all(reader):
    """Every frame that a reader gets until its camera ends, and the error that ended it."""
    frames = []
    while True:
        try:
            frame = reader.next(5)
        except CameraError as error:
            return frames, error
        assert frame is not None
        frames.append(frame)


def eventually(condition, within=5.0):
    """Whether ``condition`` comes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@pytest.fixture(scope="session")
def kit():
    """The helpers above, for tests (which cannot import a conftest by name)."""
    import types

    return types.SimpleNamespace(**{key: value for key, value in globals().items() if not key.startswith("__")})

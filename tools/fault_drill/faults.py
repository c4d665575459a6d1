"""The faults: what each does to a camera, and what a viewer is to notice of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.fault_drill.pictures import Units, encode_units, jpeg_of, numbered_picture, write_video
from tools.fault_drill.rtsp_server import flip_bits, unchanged
from tools.fault_drill.servers import ServerProcess

FPS = 25
COUNT = 100  # pictures until the stream starts over
SIZE, OTHER_SIZE = (640, 360), (320, 240)
KEY_EVERY = 25  # pictures: a key frame a second, as cameras are set up
USER, PASSWORD = "admin", "p@ss:w/rd%1"

#: by what a viewer notices: the state, dropped pictures, the rate, or the size
Sign = Literal["state", "dropped", "rate", "size"]


class Studio:
    """Pictures and servers for the faults; made once."""

    def __init__(self, process: ServerProcess, folder: Path) -> None:
        self.process, self.folder = process, folder
        self.units: dict[tuple[int, int], Units] = {
            size: encode_units((numbered_picture(n, size) for n in range(COUNT)), fps=FPS, key_every=KEY_EVERY)
            for size in (SIZE, OTHER_SIZE)
        }

    def rtsp(self, **named: Any) -> Any:
        """A sound RTSP camera that is not asked for a password."""
        return self.process.rtsp(self.units[SIZE], fps=FPS, **named)


@dataclass
class Failing:
    """One camera that is going to fail: its address, and the server behind it, if any."""

    studio: Studio
    source: str = ""
    server: Any = None
    port: int = 0


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    ``set_up`` makes the camera, ``begin`` breaks it and ``end`` takes the cause away again after ``lasts`` seconds
    (None: it cannot be). ``at_start``: it is broken before anybody watches. ``sign``: by what it is noticed.
    """

    name: str
    set_up: Callable[[Failing], None]
    begin: Callable[[Failing], None]
    end: Callable[[Failing], None] | None
    lasts: float = 4.0
    at_start: bool = False
    sign: Sign = "state"


def _rtsp(camera: Failing) -> None:
    camera.server = camera.studio.rtsp()
    camera.source = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{camera.server.where()}/stream1"


def _mjpeg(camera: Failing) -> None:
    jpegs = [jpeg_of(numbered_picture(number, SIZE)) for number in range(COUNT)]
    camera.server = camera.studio.process.mjpeg(jpegs, fps=FPS)
    camera.source = camera.server.url()


def _absent(camera: Failing) -> None:
    _rtsp(camera)
    camera.port = camera.server.where()
    camera.server.close()


def _truncated_file(camera: Failing) -> None:
    path = write_video(camera.studio.folder / "clip.mkv", (numbered_picture(n, SIZE) for n in range(COUNT)), fps=FPS)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    camera.source = str(path)


def _order(name: str, value: Any) -> Callable[[Failing], None]:
    return lambda camera: camera.server.set(name, value)


def _hangs(camera: Failing) -> None:
    camera.server.set("silent", True)


def _wakes(camera: Failing) -> None:
    camera.server.set("silent", False)


def _wants_another_password(camera: Failing) -> None:
    camera.server.set("password", "another")
    camera.server.cut()


def _appears(camera: Failing) -> None:
    camera.server = camera.studio.rtsp(port=camera.port)


def _nothing(camera: Failing) -> None:
    pass


FAULTS = (
    Fault("accepts and never answers", _rtsp, _hangs, _wakes, at_start=True),
    Fault("password changed (401), then set right", _rtsp, _wants_another_password, _order("password", PASSWORD)),
    Fault("connection cut", _rtsp, lambda camera: camera.server.cut(), _nothing, lasts=0.0),
    Fault(
        "stops within a picture, goes on after 1.5 s",
        _rtsp,
        lambda camera: camera.server.pause_within_a_picture(),
        lambda camera: camera.server.go_on(),
        lasts=1.5,
    ),
    Fault(
        "stops within a picture for 5 s",
        _rtsp,
        lambda camera: camera.server.pause_within_a_picture(),
        lambda camera: camera.server.go_on(),
        lasts=5.0,
    ),
    Fault(
        "bits flipped in every packet for 3 s",
        _rtsp,
        _order("edit", flip_bits),
        _order("edit", unchanged),
        lasts=3.0,
        sign="dropped",
    ),
    Fault(
        "another resolution in mid-stream",
        _rtsp,
        lambda camera: camera.server.set("units", camera.studio.units[OTHER_SIZE]),
        _nothing,
        lasts=0.0,
        sign="size",
    ),
    Fault("a quarter of its rate", _rtsp, _order("speed", 0.25), _order("speed", 1.0), sign="rate"),
    Fault("four times its rate", _rtsp, _order("speed", 4.0), _order("speed", 1.0), sign="rate"),
    Fault("absent at the start", _absent, _nothing, _appears, at_start=True),
    Fault("HTTP (Motion JPEG) cut", _mjpeg, lambda camera: camera.server.cut(), _nothing, lasts=0.0),
    Fault("file that breaks off", _truncated_file, _nothing, None, at_start=True),
)

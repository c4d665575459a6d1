"""Four cameras of which one hangs, one flaps and one sends garbage: what the healthy one loses by it.

The whole pipeline runs, with detection and recognition; the healthy camera alone and all four take turns, so that
a machine that gets slower or faster meanwhile does not decide the comparison.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.arrays import Bytes
from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.cameras.from_config import capture_from
from realtime.cameras.newest_frame import NewestFrame
from realtime.session import Outputs, run
from realtime.settings.config import CameraConfig, Config
from realtime.types import Frame
from tools.fault_drill.pictures import Units, encode_units
from tools.fault_drill.servers import ServerProcess

FLAP_EVERY, AWAY_FOR = 5.0, 2.0  # seconds
LEAST_RATE, MOST_AGE = 0.98, 1.2  # of those of the healthy camera alone
_WARM_UP = 2.0  # seconds of each turn that do not count
_SCENE = 150  # pictures


@dataclass(frozen=True)
class Healthy:
    """What a viewer of the healthy camera got: pictures per second, and their ages in milliseconds."""

    seconds: float
    fps: float
    age_p50: float
    age_p95: float
    longest_gap: float


@dataclass(frozen=True)
class Isolation:
    """The healthy camera alone, and beside the three that fail.

    ``decisions`` of the recogniser while all four were there; ``connections`` that gave pictures, by camera.
    """

    alone: Healthy
    beside_faults: Healthy
    decisions: int
    connections: dict[str, int]

    @property
    def rate(self) -> float:
        return self.beside_faults.fps / self.alone.fps

    @property
    def age(self) -> float:
        return self.beside_faults.age_p95 / self.alone.age_p95

    @property
    def on_target(self) -> bool:
        return self.rate >= LEAST_RATE and self.age <= MOST_AGE

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "rate": self.rate, "age": self.age, "on_target": self.on_target}


class _Counter:
    """Notes every picture of the healthy camera as it is shown."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._last = -1
        self.moments: list[float] = []
        self.ages: list[float] = []

    def show(self, frame: Frame, picture: Bytes) -> None:
        if frame.camera == "healthy" and frame.index != self._last:
            now = time.monotonic()
            self._last = frame.index
            if not self.moments:
                self._begin = now + _WARM_UP
            self.moments.append(now)
            self.ages.append(now - frame.captured_at)

    def counted(self) -> tuple[list[float], list[float]]:
        """Moments and ages after the warm-up."""
        first = next((i for i, moment in enumerate(self.moments) if moment >= self._begin), len(self.moments))
        return self.moments[first:], self.ages[first:]


def measure_isolation(
    config: Config, *, seconds: float = 20.0, turns: int = 2, flap_every: float = FLAP_EVERY, away_for: float = AWAY_FOR
) -> Isolation:
    """``turns`` times the healthy camera alone and all four, ``seconds`` each.

    ``config`` gives the bundle, the engine and the first camera's time-outs; its sources are replaced.
    """
    alone, together = [], []
    decisions, connections = 0, dict[str, int]()
    with ServerProcess() as process:
        units = encode_units(_scene(), fps=round(FPS), key_every=25)
        for _ in range(turns):
            counter = _Counter()
            with _cameras(process, units, config.cameras[0], flap_every, away_for) as four:
                run(_with(config, four[:1]), Outputs(shows=[counter.show], seconds=seconds + _WARM_UP))
            alone.append(counter)
            counter = _Counter()
            captures: list[NewestFrame] = []

            def capture(camera: CameraConfig, captures: list[NewestFrame] = captures) -> NewestFrame:
                captures.append(capture_from(camera))
                return captures[-1]

            with _cameras(process, units, config.cameras[0], flap_every, away_for) as four:
                outputs = Outputs(shows=[counter.show], seconds=seconds + _WARM_UP)
                decisions += run(_with(config, four), outputs, capture=capture)["decisions"]
            together.append(counter)
            for one in captures:
                connections[one.name] = connections.get(one.name, 0) + one.status().connections
    return Isolation(_healthy(alone), _healthy(together), decisions, connections)


def _scene() -> list[Bytes]:
    scene = DemoScene(worn=np.zeros((32, 32, 4), np.uint8))
    forth = [scene.frame(index, 0) for index in range(_SCENE // 2)]
    return forth + forth[::-1]  # no jump where it starts over


def _with(config: Config, cameras: Sequence[CameraConfig]) -> Config:
    return config.model_copy(update={"cameras": list(cameras)})


@contextmanager
def _cameras(process: ServerProcess, units: Units, settings: CameraConfig, flap_every: float, away_for: float) -> Any:
    """The four, healthy first; the flapping one is away for the last ``away_for`` of every ``flap_every`` seconds."""
    healthy, hanging, flapping = (process.rtsp(units, fps=round(FPS)) for _ in range(3))
    garbage = process.garbage()
    hanging.set("silent", True)
    over = threading.Event()

    def flap() -> None:
        while not over.wait(flap_every - away_for):
            flapping.set("silent", True)
            flapping.cut()
            over.wait(away_for)
            flapping.set("silent", False)
            flapping.cut()

    flapper = threading.Thread(target=flap, daemon=True)
    flapper.start()
    servers = {"healthy": healthy, "hanging": hanging, "flapping": flapping, "garbage": garbage}
    try:
        yield [
            settings.model_copy(update={"name": name, "source": server.url(), "every_frame": False})
            for name, server in servers.items()
        ]
    finally:
        over.set()
        flapper.join()
        for server in servers.values():
            server.close()


def _healthy(counters: Sequence[_Counter]) -> Healthy:
    ages, gaps, seconds = [], [], 0.0
    for counter in counters:
        moments, some_ages = counter.counted()
        ages += some_ages
        gaps += list(np.diff(moments))
        seconds += moments[-1] - moments[0]
    p50, p95 = (float(np.percentile(ages, percent)) * 1e3 for percent in (50, 95))
    return Healthy(seconds, len(gaps) / seconds, p50, p95, float(max(gaps)) * 1e3)

"""How long somebody is in view until something is said of them: a clip in which a face comes and goes.

Counted from the moment the camera gave the first picture with the face until the first verdict on it is there to be
shown, and until the first that names somebody (or an attack). The face stays away for longer than a track is
remembered, so that it is a new one each time.
"""

from __future__ import annotations

import bisect
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from realtime.cameras.camera import Camera
from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.cameras.open import register_camera
from realtime.types import FacesInFrame, Frame
from realtime.verdicts.verdict import Verdict
from tools.bench.live import Case, config_of
from tools.bench.scene import CLEAN, LoopedVideo
from tools.bench.timing import Spread, spread
from tools.fault_drill.pictures import write_video

SHOWN, AWAY = 40, 57  # pictures, at 25 a second
_SOURCE = "comes-and-goes"


class Row(TypedDict):
    """Milliseconds; ``appearances`` is how often the face came, ``named`` how often it was named before it went."""

    engine: str
    appearances: int
    named: int
    first_verdict_ms: Spread | None
    first_name_ms: Spread | None


class ComingAndGoing(LoopedVideo):
    """A face for ``SHOWN`` pictures, nobody for ``AWAY``, again and again; ``onsets`` are the moments it came."""

    def __init__(self, path: Path, *, name: str) -> None:
        super().__init__(path, name=name)
        self.onsets: list[float] = []

    def read(self) -> Frame:
        frame = super().read()
        if frame.index % (SHOWN + AWAY) == 0:
            self.onsets.append(frame.captured_at)
        return frame


class Waits:
    """Told of verdicts: when the first came of each appearance, and the first with a name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.said: dict[int, float] = {}  # by the number of the appearance: seconds
        self.named: dict[int, float] = {}

    def note(self, onsets: list[float], captured_at: float, verdicts: dict[int, Verdict], now: float) -> None:
        """``captured_at``: of the newest picture that the verdicts are on."""
        number = bisect.bisect_right(onsets, captured_at) - 1
        if number < 0 or not verdicts:
            return
        with self._lock:
            self.said.setdefault(number, now - onsets[number])
            if any(verdict.state != "unknown" for verdict in verdicts.values()):
                self.named.setdefault(number, now - onsets[number])


def measure(like: Case) -> Row:
    """A live run with everything on, in this process; the first appearance warms up and is not counted."""
    from realtime.session import Outputs, run

    with tempfile.TemporaryDirectory(prefix="spectaclear-first-") as name:
        folder, opened, waits = Path(name), [], Waits()
        clip = _clip(folder / "clip.mkv")

        def camera(name: str) -> Camera:
            opened.append(ComingAndGoing(clip, name=name))
            return opened[-1]

        def verdicts(found: FacesInFrame, given: dict[int, Verdict]) -> None:
            waits.note(opened[-1].onsets, found.frame.captured_at, given, time.monotonic())

        register_camera(_SOURCE, camera)
        settings: Any = {**like.__dict__, "source": _SOURCE}
        summary = run(config_of(Case(**settings), folder), Outputs(seconds=like.seconds, on_verdicts=[verdicts]))
        counted = range(1, len(opened[-1].onsets) - 1)
    said, named = ([one[number] for number in counted if number in one] for one in (waits.said, waits.named))
    return {
        "engine": summary["engine"],
        "appearances": len(counted),
        "named": len(named),
        "first_verdict_ms": _spread(said),
        "first_name_ms": _spread(named),
    }


def _spread(seconds: list[float]) -> Spread | None:
    return spread([1e3 * one for one in seconds]) if seconds else None


def _clip(path: Path) -> Path:
    scene = DemoScene()
    frames = [scene.frame(index, CLEAN) for index in range(SHOWN)]
    return write_video(path, [*frames, *[np.full_like(frames[0], 96)] * AWAY], fps=round(FPS))

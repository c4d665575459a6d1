"""What each stage of the line costs, alone: processor time, so that other programs on the machine do not count.

The same parts as live, one after another in one thread on the demo scene's clips: for each number of faces the cost
of a frame, and for a decision what one look at a face costs, with and without an alarm. Frames are measured while
every core has something else to do, as it has live: where two cores share their arithmetic, what runs on one makes the
other slower. ``tools.capacity`` reckons from this how many cameras a machine carries.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import TypedDict

from models.policy import decide
from models.recogniser import Recogniser
from realtime.assembly import detector_of, finder_of, recogniser_of
from realtime.board import Board
from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.cameras.video_file import VideoFile
from realtime.faces.find import FaceFinder
from realtime.outputs.drawing.overlay import Overlay, Status
from realtime.settings.config import load_config
from realtime.system.threads import calm_opencv, usable_cores
from realtime.types import FaceCrop
from tools.bench.live import Case, config_of
from tools.bench.looks import LiveLooks
from tools.bench.scene import write_clip

_CLIP_SECONDS = 6.0
_BUSY = "import os, numpy as n; os.nice(15); a = n.ones((512, 512), n.float32)\nwhile True: a @ a"
_UNTIL_BUSY = 1.0  # seconds: their imports
_WARM_UP = 5  # frames and decisions that are not counted


class FrameCosts(TypedDict):
    """Milliseconds of one core that a frame with so many ``faces`` takes; ``detect``: a frame that is searched anew,
    ``follow``: one in which faces are followed only. Means: a part of the frames is dearer, and somebody pays."""

    faces: int
    faces_followed: float
    decode: float
    detect: float
    follow: float
    draw: float


class DecisionCosts(TypedDict):
    """Milliseconds of one core, means: views take turns. ``alarm`` is what an alarm's explanation costs more.

    ``ms``: as it takes on the clock with ``threads``. ``looked_at``: how many of ``views`` a decision looks at.
    """

    views: int
    looked_at: float
    cpu: float
    alarm: float
    ms: float
    threads: int


class Stages(TypedDict):
    """A frame's costs by the number of faces, and a decision's. ``detect_every``: frames between two searches."""

    engine: str
    bundle: str
    detect_every: int
    frames: list[FrameCosts]
    decision: DecisionCosts


class Spent:
    """Processor time of this process by what it went into, in milliseconds."""

    def __init__(self) -> None:
        self.by: dict[str, list[float]] = {}

    def note(self, what: str, milliseconds: float) -> None:
        self.by.setdefault(what, []).append(milliseconds)

    def mean(self, what: str) -> float:
        """0 where it never happened; without the first few, which warm up."""
        values = self.by.get(what, [])
        return round(mean(values[_WARM_UP:] or values), 3) if values else 0.0


def measure(faces: tuple[int, ...], like: Case, folder: Path, *, frames: int = 145, decisions: int = 40) -> Stages:
    """Every number of faces, then decisions; ``like`` names bundle, engine and threads."""
    calm_opencv()
    config = config_of(dataclasses.replace(like, source="demo"), folder)
    recogniser = recogniser_of(config)
    recogniser.warm_up()
    scene, rows, seen = DemoScene(act_seconds=_CLIP_SECONDS / 6), [], []
    for count in faces:
        clip = folder / f"stages{count}.mp4"
        write_clip(clip, scene, count, _CLIP_SECONDS)
        finder = finder_of(config, detector_of(config.detection), recogniser.input_size)
        with busy_cores():
            row, crops = _frames(clip, finder, recogniser, frames, count)
        rows.append(row)
        seen += crops
    usable = [crop for crop in seen if crop.refusal is None]
    return Stages(
        engine=recogniser.engine,
        bundle=recogniser.bundle.info.name,
        detect_every=config.detection.detect_every,
        frames=rows,
        decision=_decisions(recogniser, usable, decisions, threads=like.threads or 0),
    )


@contextmanager
def busy_cores() -> Iterator[None]:
    """Every core multiplies matrices meanwhile, in processes of their own that give way to this one."""
    one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    others = [subprocess.Popen([sys.executable, "-c", _BUSY], env=one) for _ in range(usable_cores())]
    try:
        time.sleep(_UNTIL_BUSY)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _frames(
    clip: Path, finder: FaceFinder, recogniser: Recogniser, count: int, faces: int
) -> tuple[FrameCosts, list[FaceCrop]]:
    """Read, find, draw, frame by frame, as if they came at the clip's rate; every sixth has a decision to draw."""
    spent, video, overlay = Spent(), VideoFile(clip, name="scene", every_frame=True), Overlay()
    board = Board(["scene"], load_config(None, sources=False).verdict, recogniser.policy)
    followed, crops = [], []
    start = time.monotonic() - count / FPS
    for index in range(min(count, round(_CLIP_SECONDS * FPS) - 1)):
        before = time.process_time()
        frame = video.read()
        spent.note("decode", (time.process_time() - before) * 1e3)
        frame = dataclasses.replace(frame, captured_at=start + index / FPS, file_time=None)
        before = time.process_time()
        found = finder.find(frame)
        board.put_faces(found, frame.captured_at)
        spent.note("detect" if "detect" in found.stage_ms else "follow", (time.process_time() - before) * 1e3)
        followed.append(len(found.crops))
        usable = [crop for crop in found.crops if crop.refusal is None]
        if usable and index % 6 == 0:
            crop = usable[index // 6 % len(usable)]
            (evidence,) = recogniser.defend(crop.pixels[None], quick=True)
            board.put_decision(crop, decide(evidence.seen, recogniser.policy), evidence, frame.captured_at)
            crops.append(crop)
        status = Status("scene", recogniser.engine, FPS, frame.captured_at, frame.wall_time)
        before = time.process_time()
        overlay.draw(frame.bgr, [crop.track for crop in found.crops], board.verdicts("scene", time.monotonic()), status)
        spent.note("draw", (time.process_time() - before) * 1e3)
    video.close()
    return {
        "faces": faces,
        "faces_followed": round(mean(followed), 2),
        "decode": spent.mean("decode"),
        "detect": spent.mean("detect"),
        "follow": spent.mean("follow"),
        "draw": spent.mean("draw"),
    }, crops


def _decisions(recogniser: Recogniser, crops: list[FaceCrop], count: int, *, threads: int) -> DecisionCosts:
    """One face at a time, looking at as many views as live."""
    spent, took, views = Spent(), [], len(recogniser.zones)
    looks, looked = LiveLooks(recogniser), []
    looks.settle(crops[0].pixels[None])
    for number in range(count + _WARM_UP):
        crop = crops[number * len(crops) // (count + _WARM_UP)].pixels[None]
        cpu, clock = time.process_time(), time.perf_counter()
        (one,) = looks.decide(crop)
        cpu, clock = (time.process_time() - cpu) * 1e3, (time.perf_counter() - clock) * 1e3
        if number >= _WARM_UP:
            alarm = bool(views) and decide(one.seen, recogniser.policy).state == "suspected_attack"
            spent.by.setdefault("alarm" if alarm else "quiet", []).append(cpu)
            took.append(clock)
            looked.append(int(one.looked.sum()))
    quiet, alarmed = (spent.by.get(kind, []) for kind in ("quiet", "alarm"))
    usual = mean(quiet or alarmed)
    return {
        "views": views,
        "looked_at": round(mean(looked), 2),
        "cpu": round(usual, 2),
        "alarm": round(max(0.0, mean(alarmed) - usual), 2) if alarmed else 0.0,
        "ms": round(mean(took), 2),
        "threads": threads,
    }

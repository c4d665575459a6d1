"""Spectaclear against the natural way: the same frames, the same bundle, offline, detection included on both sides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from models.arrays import Bytes
from models.bundle import Bundle
from models.errors import BadInput
from models.policy import Decision, decide
from models.recogniser import Recogniser, recogniser_for
from realtime.cameras.demo_scene import DemoScene
from realtime.faces.detect import FaceDetector, torch_threads
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.track import FaceTracker
from realtime.types import Frame
from tools.bench.naive import Naive
from tools.bench.peers import peers
from tools.bench.scene import frames_of
from tools.bench.timing import Spread, spread
from tools.bench.untrained import bundle_of_size
from tools.common.bars import Tick

MIN_FACE = 40  # pixels, for both detectors
DETECT_EVERY = 3  # as shipped

#: takes a frame, gives a decision per face
Way = Callable[[Frame], Sequence[Decision]]


@dataclass(frozen=True)
class Plan:
    """``rounds`` turns of ``frames`` frames each for every way and size."""

    engines: tuple[str, ...] = ("onnxruntime-cpu",)
    sizes: tuple[int, ...] = (112, 224)
    rounds: int = 3
    frames: int = 6
    threads: int = 2
    naive_threads: tuple[int, ...] = (1, 2)
    yunet: Path | None = None
    sface: Path | None = None


class About(TypedDict):
    """What all ways of a size have in common; ``baseline``: the better of the natural ways."""

    size: int
    bundle: str
    baseline: str


class Measured(About):
    """A way: decisions per second, and the ratio to the baseline (None: it is one of the natural ways).

    Peers that do not defend themselves are ``undefended``.
    """

    way: str
    undefended: bool
    decisions_per_second: Spread
    ratio: Spread | None


class LeftOut(About):
    """A peer that cannot run here, and why."""

    way: str
    undefended: bool
    left_out: str


Row = Measured | LeftOut


class Ours:
    """The offline line of the pipeline: find (every n-th frame by detection), then decide on all faces at once."""

    def __init__(self, recogniser: Recogniser, detector: FaceDetector, *, detect_every: int) -> None:
        self._recogniser = recogniser
        self._finder = FaceFinder(
            detector,
            FaceTracker(),
            size=recogniser.input_size,
            limits=QualityLimits(),
            detect_every=detect_every,
        )

    def __call__(self, frame: Frame) -> list[Decision]:
        crops = [crop.pixels for crop in self._finder.find(frame).crops if crop.refusal is None]
        if not crops:
            return []
        evidence = self._recogniser.defend(np.stack(crops))
        return [decide(one, self._recogniser.policy) for one in evidence]


def measure(bundle: Bundle, plan: Plan, folder: Path, tick: Tick | None = None) -> list[Row]:
    """A row per size and way."""
    rows: list[Row] = []
    for size in plan.sizes:
        rows += _rows_of_size(bundle_of_size(bundle, size, folder / str(size)), plan, tick)
    return rows


def _rows_of_size(bundle: Bundle, plan: Plan, tick: Tick | None) -> list[Row]:
    frames = frames_of(DemoScene(), plan.rounds * plan.frames)
    naive = Naive(bundle, min_face=MIN_FACE)
    ways: dict[str, Way] = {
        f"naive, {threads} torch thread{'s' if threads > 1 else ''}": _on_threads(naive, threads)
        for threads in plan.naive_threads
    }
    natural = list(ways)
    others, absent = peers(plan.yunet, plan.sface, frames[0])
    ways |= others
    cannot: dict[str, str] = {}
    for engine in plan.engines:
        try:
            recogniser = recogniser_for(bundle, engine, threads=plan.threads)
        except BadInput as error:
            cannot[engine] = str(error)
            continue
        for every in (1, DETECT_EVERY):
            detector = MtcnnOnnxDetector(min_face=MIN_FACE, threads=plan.threads)
            where = "on every frame" if every == 1 else f"on every {every}rd frame"
            ways[f"{engine}, detection {where}"] = Ours(recogniser, detector, detect_every=every)
    rates = in_rounds(ways, frames, plan, tick)
    best = max(natural, key=lambda name: spread(rates[name])["p50"])
    about: About = {"size": bundle.info.input_size, "bundle": bundle.info.name, "baseline": best}
    ran: list[Measured] = [
        {
            **about,
            "way": name,
            "undefended": name in others,
            "decisions_per_second": spread(values),
            "ratio": None if name in natural else spread(np.divide(values, rates[best]).tolist()),
        }
        for name, values in rates.items()
    ]
    missing: list[LeftOut] = [
        {**about, "way": name, "undefended": name in absent, "left_out": why} for name, why in (absent | cannot).items()
    ]
    return [*ran, *missing]


def in_rounds(
    ways: dict[str, Way], frames: Sequence[Frame], plan: Plan, tick: Tick | None = None
) -> dict[str, list[float]]:
    """Decisions per second by way and round; within a round every way sees the same frames."""
    for way in ways.values():
        for back in (2, 1):  # the first frames allocate, and give a face its track
            way(_before(frames[0], back))
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for start in range(0, len(frames), plan.frames):
        for name, way in ways.items():
            started = time.perf_counter()
            decided = sum(len(way(frame)) for frame in frames[start : start + plan.frames])
            rates[name].append(decided / (time.perf_counter() - started))
            if tick is not None:
                tick(name, min(start + plan.frames, len(frames)), len(frames))
    return rates


def _on_threads(naive: Naive, threads: int) -> Way:
    def way(frame: Frame) -> list[Decision]:
        with torch_threads(threads):
            picture: Bytes = frame.bgr
            return naive.decide(picture)

    return way


def _before(frame: Frame, count: int) -> Frame:
    """The same picture, as if captured ``count`` frames earlier."""
    return replace(frame, index=frame.index - count, captured_at=frame.captured_at - count / 25)

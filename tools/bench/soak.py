"""A long run that is watched: does anything grow? One camera is steady, one is cut again and again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, NotRequired, TypedDict

from realtime.cameras.camera import Camera
from realtime.cameras.demo_scene import DemoScene
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.reconnect import BackOff
from realtime.metrics import Percentiles
from realtime.settings.config import CameraConfig
from tools.bench.live import Case, config_of
from tools.bench.scene import LoopedVideo, write_clip
from tools.bench.watch import Sample, Sampler, Watch

FLAT = 0.03  # growth of the resident memory that counts as none
_PART = 0.1  # of the samples: what stands for "after the warm-up", and what for "at the end"


@dataclass(frozen=True)
class Plan:
    """``cut_every``: seconds of pictures after which the second camera's connection breaks."""

    minutes: float = 10.0
    cut_every: float = 5.0
    sample_every: float = 5.0
    bundle: str | None = None
    engine: str | None = None
    threads: int | None = None
    clip_seconds: float = 18.0
    everything: bool = True


class Row(TypedDict):
    """A sample, ``seconds`` after the beginning; ``cpu_seconds`` so far."""

    seconds: float
    rss_mb: float
    threads: int
    files: int
    cpu_seconds: float
    frame_age_ms: Percentiles


class Growth(TypedDict):
    """Medians of the time after the warm-up and of the end. ``flat``: memory within 3 %, no more threads and open
    files, and frames no older than a fifth more; None: nothing can be said, and ``why``."""

    flat: bool | None
    why: NotRequired[str]
    warm_up_seconds: NotRequired[float]
    rss_mb: NotRequired[list[float]]
    rss_growth: NotRequired[float]
    threads: NotRequired[list[float]]
    files: NotRequired[list[float]]
    frame_age_p95_ms: NotRequired[list[float]]


class Results(TypedDict):
    minutes: float
    engine: str
    reconnects: int
    decisions_per_second: float
    displayed_fps: dict[str, float]
    verdict_age_ms: Percentiles
    growth: Growth
    samples: list[Row]


def measure(plan: Plan) -> Results:
    """The samples over time, and whether anything grew."""
    from realtime.session import Outputs, run

    cameras: list[NewestFrame] = []
    ages: list[Percentiles] = []
    with tempfile.TemporaryDirectory(prefix="spectaclear-soak-") as folder:
        clip = Path(folder) / "soak.mp4"
        write_clip(clip, DemoScene(act_seconds=plan.clip_seconds / 6), 1, plan.clip_seconds)

        def capture(config: CameraConfig) -> NewestFrame:
            cut = plan.cut_every if config.name == "cam2" else None

            def connect() -> Camera:
                return LoopedVideo(clip, name=config.name, cut_after=cut)

            # Growing waits are for real cameras; here as many connections as possible are wanted.
            camera = NewestFrame(config.name, connect, back_off=BackOff(first=0.2, longest=0.2, patient_longest=0.2))
            cameras.append(camera)
            return camera

        like = Case(
            cameras=2,
            source="demo",
            bundle=plan.bundle,
            engine=plan.engine,
            threads=plan.threads,
            everything=plan.everything,
        )
        watch = Watch()
        with Sampler(plan.sample_every, lambda sample: ages.append(watch.take_ages())) as sampler:
            outputs = Outputs(seconds=60 * plan.minutes, on_decision=[watch.decided], shows=[watch.show])
            summary = run(config_of(like, Path(folder)), outputs, capture=capture)
    begin, end = watch.window
    rows = [
        _row(sample, begin, age)
        for sample, age in zip(sampler.samples, ages, strict=False)
        if begin <= sample.at <= end
    ]
    figures = watch.figures()
    return {
        "minutes": plan.minutes,
        "engine": summary["engine"],
        "reconnects": sum(camera.status().connections for camera in cameras) - len(cameras),
        "decisions_per_second": figures["decisions_per_second"],
        "displayed_fps": figures["displayed_fps"],
        "verdict_age_ms": summary["verdict_age_ms"],
        "growth": growth(rows),
        "samples": rows,
    }


def growth(rows: Sequence[Row]) -> Growth:
    """The end against the time after the warm-up (two minutes, or a fifth of a shorter run)."""
    if len(rows) < 5:
        return {"flat": None, "why": "too short to say anything: fewer than five samples"}
    warm = min(120.0, rows[-1]["seconds"] / 5)
    counted = [row for row in rows if row["seconds"] >= warm]
    part = max(2, round(_PART * len(counted)))
    first, last = counted[:part], counted[-part:]

    def medians(key: Literal["rss_mb", "threads", "files"]) -> tuple[float, float]:
        return median(row[key] for row in first), median(row[key] for row in last)

    def age(some: Sequence[Row]) -> float:
        return median(row["frame_age_ms"]["p95"] or 0.0 for row in some)

    rss, threads, files = medians("rss_mb"), medians("threads"), medians("files")
    rss_growth = rss[1] / rss[0] - 1
    ages = age(first), age(last)
    return {
        "warm_up_seconds": round(warm, 1),
        "rss_mb": list(rss),
        "rss_growth": round(rss_growth, 4),
        "threads": list(threads),
        "files": list(files),
        "frame_age_p95_ms": list(ages),
        "flat": bool(
            abs(rss_growth) <= FLAT
            and threads[1] <= threads[0]
            and files[1] <= files[0]
            and ages[1] <= 1.2 * ages[0] + 5
        ),
    }


def _row(sample: Sample, begin: float, age: Percentiles) -> Row:
    return {
        "seconds": round(sample.at - begin, 1),
        "rss_mb": round(sample.rss_mb, 1),
        "threads": sample.threads,
        "files": sample.files,
        "cpu_seconds": round(sample.cpu, 1),
        "frame_age_ms": age,
    }

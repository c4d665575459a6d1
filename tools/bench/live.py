"""A live run as a user has it, everything on: how smooth, how old, how many decisions, at what cost.

Each case runs in a process of its own, so that memory and processor time are that case's alone; the scene's clips are
written in this one.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, TypedDict

from models.errors import BadInput
from realtime.cameras.camera import Camera
from realtime.cameras.demo_scene import DemoScene
from realtime.cameras.open import register_camera
from realtime.metrics import Percentiles
from realtime.settings.config import CameraConfig, Config, EventsConfig, RecognitionConfig, WebConfig, load_config
from realtime.system.redact import redact
from realtime.system.threads import thread_budget
from tools.bench.scene import MOST_FACES, LoopedVideo, write_clip
from tools.bench.watch import Figures, Sampler, Watch
from tools.common.bars import Tick

DEFAULT_CASES = ((1, 1), (2, 1), (4, 1), (8, 1), (8, 4))
CLIP_SECONDS = 18.0


@dataclass(frozen=True)
class Case:
    """``faces`` in all, spread over ``cameras``; with a ``source`` of the user's each camera opens that instead.

    ``threads`` None: the shipped budget. ``everything``: events with evidence are kept, and the page is served.
    """

    faces: int = 1
    cameras: int = 1
    seconds: float = 20.0
    warm_up: float = 3.0
    source: str | None = None
    config: str | None = None
    bundle: str | None = None
    engine: str | None = None
    threads: int | None = None
    everything: bool = True
    clip_seconds: float = CLIP_SECONDS


class Threads(TypedDict):
    inference: int
    detection: int


class Row(Figures):
    """A live run in figures.

    Rates, frame ages, states, processor and resident memory are those of the ``seconds`` after the warm-up; the ages
    of verdicts and their stale share, the times of stages and the peak of memory are the whole run's.
    """

    source: str
    faces: int
    most_faces_at_once: int
    cameras: int
    engine: str
    threads: Threads
    everything: bool
    displayed_fps_lowest: float
    decisions_per_second_and_face: float
    verdict_age_ms: Percentiles
    stale_verdicts: float
    cpu_percent_of_a_core: float | None
    cpu_percent_of_machine: float | None
    rss_mb: float | None
    peak_rss_mb: float
    stage_ms: dict[str, float | None]


def cases_of(faces: Sequence[int], cameras: Sequence[int], like: Case) -> list[Case]:
    """Every combination that is possible; neither given: the usual ones.

    Raises:
        BadInput: a number of faces, or of cameras, that fits none of the others; faces for a source of the user's.
    """
    if like.source is not None:
        if faces:
            raise BadInput("--faces: a source of your own shows whom it shows; leave it out")
        return [replace(like, faces=0, cameras=count) for count in cameras or (1,)]
    if faces or cameras:
        every = [(face, camera) for camera in cameras or (1,) for face in faces or (1, 2, 4, 8)]
        pairs = [(face, camera) for face, camera in every if camera <= face <= MOST_FACES * camera]
    else:
        pairs = list(DEFAULT_CASES)
    for option, given, place in (("--faces", faces, 0), ("--cameras", cameras, 1)):
        for number in set(given) - {pair[place] for pair in pairs}:
            raise BadInput(
                f"{option} {number}: every camera of the scene shows at least one face and at most {MOST_FACES};"
                " give --faces and --cameras that fit"
            )
    return [replace(like, faces=face, cameras=camera) for face, camera in pairs]


def measure(cases: Sequence[Case], *, isolated: bool = True, tick: Tick | None = None) -> list[Row]:
    """A row per case."""
    if tick is not None:
        tick("live runs", 0, len(cases))
    if not isolated:
        return [run_case(case) for case in cases]
    rows = []
    with tempfile.TemporaryDirectory(prefix="spectaclear-clips-") as clips:
        for case in cases:
            if case.source is None:
                clips_of(case, Path(clips))
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                try:
                    rows.append(process.submit(run_case, case, Path(clips)).result())
                except BrokenProcessPool:
                    raise BadInput(f"the process of {case.faces} faces ended early; is there enough memory?") from None
            if tick is not None:
                tick("live runs", len(rows), len(cases))
    return rows


def run_case(case: Case, clips: Path | None = None) -> Row:
    """Run it here and say what was seen; ``clips``: where those of the scene lie, None: they are made."""
    from realtime.session import Outputs, run

    with tempfile.TemporaryDirectory(prefix="spectaclear-benchmark-") as folder:
        config = config_of(case, Path(folder), clips)
        watch = Watch(warm_up=case.warm_up, seconds=case.seconds)
        with Sampler() as sampler:
            summary = run(
                config,
                Outputs(seconds=case.warm_up + case.seconds + 0.5, on_decision=[watch.decided], shows=[watch.show]),
            )
    figures = watch.figures()
    used = sampler.within(*watch.window)
    wall = used[-1].at - used[0].at if len(used) > 1 else 0.0
    cpu = 100 * (used[-1].cpu - used[0].cpu) / wall if wall > 0 else None
    budget = thread_budget(inference=config.recognition.threads, detection=config.detection.threads)
    faces = case.faces or summary["faces"]["most_at_once"]
    return {
        "source": redact(case.source) if case.source else "demo scene, H.264",
        "faces": faces,
        "most_faces_at_once": summary["faces"]["most_at_once"],
        "cameras": case.cameras,
        "engine": summary["engine"],
        "threads": {"inference": budget.inference, "detection": budget.detection},
        "everything": case.everything,
        **figures,
        "displayed_fps_lowest": min(figures["displayed_fps"].values(), default=0.0),
        "decisions_per_second_and_face": round(figures["decisions_per_second"] / max(1, faces), 2),
        "verdict_age_ms": summary["verdict_age_ms"],
        "stale_verdicts": summary["stale_verdicts"],
        "cpu_percent_of_a_core": None if cpu is None else round(cpu, 1),
        "cpu_percent_of_machine": None if cpu is None else round(cpu / (os.cpu_count() or 1), 1),
        "rss_mb": round(median(sample.rss_mb for sample in used), 1) if used else None,
        "peak_rss_mb": summary["peak_rss_mb"],
        "stage_ms": summary["stage_ms"],
    }


def config_of(case: Case, folder: Path, clips: Path | None = None) -> Config:
    """The configuration of a run; the scene's clips lie in ``clips``, or are written to ``folder``."""
    settings = load_config(case.config, sources=False)
    like = settings.cameras[0]
    sources = scene_cameras(case, clips or folder) if case.source is None else [case.source] * case.cameras
    cameras = [like.model_copy(update={"name": f"cam{i + 1}", "source": source}) for i, source in enumerate(sources)]
    changes: dict[str, object] = {
        "cameras": [CameraConfig.model_validate(camera.model_dump()) for camera in cameras],
        "recognition": _recognition(settings.recognition, case),
    }
    if case.everything:
        changes["events"] = EventsConfig(folder=str(folder / "events"))
        if importlib.util.find_spec("starlette") and importlib.util.find_spec("uvicorn"):
            changes["web"] = WebConfig(enabled=True, port=0)
    return settings.model_copy(update=changes)


def _recognition(configured: RecognitionConfig, case: Case) -> RecognitionConfig:
    wanted = {"bundle": case.bundle, "engine": case.engine, "threads": case.threads}
    return configured.model_copy(update={key: value for key, value in wanted.items() if value is not None})


def scene_cameras(case: Case, folder: Path) -> list[str]:
    """Registers a looping clip per camera and gives the words that name them."""
    sources = []
    for index, clip in enumerate(clips_of(case, folder)):
        register_camera(f"scene{index + 1}", _opener(clip))
        sources.append(f"scene{index + 1}")
    return sources


def clips_of(case: Case, folder: Path) -> list[Path]:
    """The clip of each camera; one that is not there yet is written."""
    clips = []
    for index in range(case.cameras):
        faces = case.faces // case.cameras + (index < case.faces % case.cameras)
        clip = folder / f"faces{faces}-{case.clip_seconds:g}.mp4"
        if not clip.exists():
            scene = DemoScene(act_seconds=max(0.1, case.clip_seconds / 6))  # forwards all three acts, then backwards
            write_clip(clip, scene, faces, case.clip_seconds)
        clips.append(clip)
    return clips


def _opener(clip: Path) -> Any:
    def opened(name: str) -> Camera:
        return LoopedVideo(clip, name=name)

    return opened

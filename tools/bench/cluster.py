"""A cluster of two nodes on this machine's cores against one process on the same, and what kills do to it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, NotRequired, TypedDict

from rich.table import Table

from models.errors import BadInput
from realtime.settings.config import CameraConfig, Config, RecognitionConfig
from realtime.system.threads import usable_cores
from tools.bench.local_cluster import (
    DETECT_EVERY,
    KINDS,
    LIMITS,
    SCENE_FPS,
    LocalCluster,
    scene_file,
    scene_seconds,
)

_WARM_UP = 5.0  # seconds
_WINDOWS = 4  # that each side is measured in: one process in half of them before the cluster, in half after it


@dataclass(frozen=True)
class Plan:
    """``seconds`` of a window of rates, up to whole scenes; ``kills`` over ``minutes``; each camera shows one face."""

    seconds: float = 20.0
    minutes: float = 10.0
    kills: int = 20
    cameras: int = 8
    bundle: str | None = None
    engine: str | None = None


class Ages(TypedDict):
    """Of verdicts, in milliseconds."""

    p50: float | None
    p95: float | None


class Rates(TypedDict):
    """``decisions_per_second`` is the median of the windows, ``alarms`` the share of decisions that raise one."""

    decisions_per_second: float
    alarms: float
    windows: list[float]
    frames_per_second: float
    verdict_age_ms: Ages
    engine: str
    unanswered: NotRequired[dict[str, int]]


class Kill(TypedDict):
    """``seconds`` until every camera was live again; None: not while it was waited for."""

    kind: str
    seconds: float | None
    limit: float
    page_seconds: NotRequired[float]


class Times(TypedDict):
    n: int
    p50: float | None
    worst: float | None
    never: int


class Counted(TypedDict):
    on_nodes: int
    collected: int
    lost: int
    twice: int


class Measured(TypedDict):
    """``fps``, ``detect_every``: of each camera, which has one face in view."""

    cores: int
    cameras: int
    fps: int
    detect_every: int
    one_process: Rates
    cluster: Rates
    overhead: float | None
    overhead_range: list[float] | None
    kills: list[Kill]
    fail_over_s: dict[str, Times]
    events: Counted
    object_store_mb: dict[str, float]


def measure(plan: Plan) -> Measured:
    """Rates and ages in one process and in the cluster, and every kill with the time until all cameras were live."""
    with tempfile.TemporaryDirectory(prefix="spectaclear-cluster-") as folder:
        cores = usable_cores()
        plan = replace(plan, seconds=math.ceil(plan.seconds / scene_seconds()) * scene_seconds())
        scene = scene_file(Path(folder) / "scene.mkv", 60 * (plan.minutes + 30))
        alone = [_alone(plan, scene)]
        recognition = {"engine": plan.engine or "auto", "threads": max(1, cores // 2), "batch": 2}
        if plan.bundle is not None:
            recognition["bundle"] = plan.bundle
        settings = {
            "recognition": recognition,
            "cluster": {
                "cameras_per_group": min(64, -(-plan.cameras // 2)),
                "replicas": 2,
                "cores_per_replica": max(0.5, cores / 4),
            },
        }
        names = {f"cam{number + 1}": scene for number in range(plan.cameras)}
        with LocalCluster(Path(folder), names, settings, cores=max(1, cores // 2)) as cluster:
            time.sleep(_WARM_UP)
            spread = _rates(cluster, plan.seconds)
            store = [_object_store()]
            killed = _kills(cluster, plan, store)
            cluster.until(lambda: set(cluster.stored_on_nodes()) == set(cluster.collected()), 60.0, "not all collected")
            kept, collected = cluster.stored_on_nodes(), cluster.collected()
        alone.append(_alone(plan, scene))
    whole = _together(alone)
    return {
        "cores": cores,
        "cameras": plan.cameras,
        "fps": SCENE_FPS,
        "detect_every": DETECT_EVERY,
        "one_process": whole,
        "cluster": spread,
        "overhead": _overhead(whole["decisions_per_second"], spread["decisions_per_second"]),
        "overhead_range": _overhead_range(whole["windows"], spread["windows"]),
        "kills": killed,
        "fail_over_s": {kind: _times([one for one in killed if one["kind"] == kind]) for kind in KINDS},
        "events": {
            "on_nodes": len(kept),
            "collected": len(collected),
            "lost": len(set(kept) - set(collected)),
            "twice": len(collected) - len(set(collected)),
        },
        "object_store_mb": {"first": store[0], "last": store[-1], "most": max(store)},
    }


def _alone(plan: Plan, scene: str) -> Rates:
    from realtime.session import Outputs, run

    cameras = [
        CameraConfig(name=f"cam{number + 1}", source=scene, detect_every=DETECT_EVERY) for number in range(plan.cameras)
    ]
    recognition = RecognitionConfig(bundle=plan.bundle, engine=plan.engine or "auto", batch=2)
    with tempfile.TemporaryDirectory(prefix="spectaclear-alone-") as folder:
        plain = Config()
        events = plain.events.model_copy(update={"folder": folder})
        config = plain.model_copy(update={"cameras": cameras, "recognition": recognition, "events": events})
        decided: list[float] = []
        began: list[float] = []
        summary = run(
            config,
            Outputs(
                seconds=_WARM_UP + _WINDOWS // 2 * plan.seconds,
                on_decision=[lambda *_: decided.append(time.monotonic())],
                running=lambda _: began.append(time.monotonic()),
            ),
        )
    windows = []
    for number in range(_WINDOWS // 2):
        start = began[0] + _WARM_UP + number * plan.seconds
        windows.append(sum(start <= moment < start + plan.seconds for moment in decided) / plan.seconds)
    return {
        "decisions_per_second": median(windows),
        "alarms": summary["full_decisions"] / max(1, summary["decisions"]),
        "windows": windows,
        "frames_per_second": round(summary["displayed_fps"], 2),
        "verdict_age_ms": {"p50": summary["verdict_age_ms"]["p50"], "p95": summary["verdict_age_ms"]["p95"]},
        "engine": summary["engine"],
    }


def _together(runs: Sequence[Rates]) -> Rates:
    """Several runs as one: all windows, and of ages and frames the median of the runs."""
    windows = [round(rate, 2) for one in runs for rate in one["windows"]]

    def middle(name: Literal["p50", "p95"]) -> float | None:
        ages = [age for one in runs if (age := one["verdict_age_ms"][name]) is not None]
        return round(median(ages), 2) if ages else None

    return {
        "decisions_per_second": round(median(windows), 2),
        "alarms": round(median(one["alarms"] for one in runs), 4),
        "windows": windows,
        "frames_per_second": round(median(one["frames_per_second"] for one in runs), 2),
        "verdict_age_ms": {"p50": middle("p50"), "p95": middle("p95")},
        "engine": runs[0]["engine"],
    }


def _rates(cluster: LocalCluster, seconds: float) -> Rates:
    def counted() -> tuple[float, int, int, Sequence[Any]]:
        reports = [one for one in cluster.overview().reports if one.counts is not None]
        decided, shown = (sum(one.counts[name] for one in reports) for name in ("decisions", "displayed"))
        return time.monotonic(), decided, shown, reports

    windows: list[float] = []
    first = last = counted()
    for _ in range(_WINDOWS):
        before = last
        time.sleep(seconds)
        last = counted()
        windows.append(round((last[1] - before[1]) / (last[0] - before[0]), 2))
    reports = last[3]
    ages = [one.counts["summary"]["verdict_age_ms"] for one in reports]
    unanswered: dict[str, int] = {}
    for one in reports:
        for reason, count in one.counts["unanswered"].items():
            unanswered[reason] = unanswered.get(reason, 0) + count

    def worst(name: str) -> float | None:  # of the group that is worst off: percentiles of several cannot be added
        return max((age[name] or 0.0 for age in ages), default=None)

    decided, explained = (
        sum(one.counts["summary"][name] for one in reports) for name in ("decisions", "full_decisions")
    )
    return {
        "decisions_per_second": round(median(windows), 2),
        "alarms": round(explained / max(1, decided), 4),
        "windows": windows,
        "frames_per_second": round((last[2] - first[2]) / (last[0] - first[0]), 2),
        "verdict_age_ms": {"p50": worst("p50"), "p95": worst("p95")},
        "engine": next((one.engine for one in reports), ""),
        "unanswered": unanswered,
    }


def _kills(cluster: LocalCluster, plan: Plan, store: list[float]) -> list[Kill]:
    pause = 60 * plan.minutes / max(1, plan.kills)
    found: list[Kill] = []
    for number in range(plan.kills):
        kind = KINDS[number % len(KINDS)]
        if kind == "node" and not cluster.cameras_on(cluster.nodes[-1]):
            cluster.until(cluster.kill("worker"), 60.0, "cameras did not move")  # to the node that has none
            cluster.restore()
        began = time.monotonic()
        again = cluster.kill(kind)
        killed = time.monotonic()
        try:
            took: float | None = round(cluster.until(again, 6 * LIMITS[kind], kind) + killed - began, 2)
        except BadInput:
            took = None
        found.append({"kind": kind, "seconds": took, "limit": LIMITS[kind]})
        if kind == "head":
            cluster.until(cluster.head_answers, 300.0, "the head did not come back")
            found[-1]["page_seconds"] = round(time.monotonic() - began, 2)
        cluster.restore()
        store.append(_object_store())
        time.sleep(max(0.0, began + pause - time.monotonic()))
    return found


def _object_store() -> float:
    """Megabytes used in all nodes' object stores."""
    import ray

    whole = float(ray.cluster_resources().get("object_store_memory", 0))
    free = float(ray.available_resources().get("object_store_memory", 0))
    return round((whole - free) / 1e6, 1)


def _times(kills: Sequence[Kill]) -> Times:
    times = sorted(one["seconds"] for one in kills if one["seconds"] is not None)
    failed = len(kills) - len(times)
    return {
        "n": len(kills),
        "p50": median(times) if times else None,
        "worst": max(times, default=None),
        "never": failed,
    }


def _overhead(alone: float, spread: float) -> float | None:
    return round(1 - spread / alone, 4) if alone else None


def _overhead_range(alone: Sequence[float], spread: Sequence[float]) -> list[float] | None:
    """From the least that these windows could say to the most."""
    if not min(alone):
        return None
    return [round(1 - max(spread) / min(alone), 4), round(1 - min(spread) / max(alone), 4)]


def table(results: Measured) -> Table:
    """For the terminal."""
    found = Table("", "one process", "two nodes", title=f"{results['cameras']} cameras on {results['cores']} cores")
    sides = (results["one_process"], results["cluster"])
    found.add_row("decisions per second", *(f"{side['decisions_per_second']:.1f}" for side in sides))
    found.add_row("in its windows", *(f"{min(side['windows']):.1f} to {max(side['windows']):.1f}" for side in sides))
    found.add_row("pictures per second", *(f"{side['frames_per_second']:.1f}" for side in sides))
    for words, ages in (
        ("p50", [side["verdict_age_ms"]["p50"] for side in sides]),
        ("p95", [side["verdict_age_ms"]["p95"] for side in sides]),
    ):
        found.add_row(f"verdict age {words}, ms", *("" if age is None else f"{age:.1f}" for age in ages))
    for kind, times in results["fail_over_s"].items():
        said = "" if times["p50"] is None else f"p50 {times['p50']:.1f} s, worst {times['worst'] or 0:.1f} s"
        found.add_row(
            f"{kind} killed, {times['n']} times",
            "",
            f"{said}{', never: ' + str(times['never']) if times['never'] else ''}",
        )
    found.add_row("events lost, twice", "", f"{results['events']['lost']}, {results['events']['twice']}")
    return found

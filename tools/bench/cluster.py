"""A cluster of two nodes on this machine's cores against one process on the same, and what kills do to it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NotRequired, TypedDict

from rich.table import Table

from models.errors import BadInput
from realtime.system.threads import usable_cores
from tools.bench.cluster_rates import (
    WARM_UP,
    Plan,
    Rates,
    alone_rates,
    cluster_rates,
    overhead,
    overhead_range,
    together,
)
from tools.bench.local_cluster import (
    DETECT_EVERY,
    KINDS,
    LIMITS,
    SCENE_FPS,
    LocalCluster,
    scene_file,
    scene_seconds,
)


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
        alone = [alone_rates(plan, scene)]
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
            time.sleep(WARM_UP)
            spread = cluster_rates(cluster, plan.seconds)
            store = [_object_store()]
            killed = _kills(cluster, plan, store)
            cluster.until(lambda: set(cluster.stored_on_nodes()) == set(cluster.collected()), 60.0, "not all collected")
            kept, collected = cluster.stored_on_nodes(), cluster.collected()
        alone.append(alone_rates(plan, scene))
    whole = together(alone)
    return {
        "cores": cores,
        "cameras": plan.cameras,
        "fps": SCENE_FPS,
        "detect_every": DETECT_EVERY,
        "one_process": whole,
        "cluster": spread,
        "overhead": overhead(whole["decisions_per_second"], spread["decisions_per_second"]),
        "overhead_range": overhead_range(whole["windows"], spread["windows"]),
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

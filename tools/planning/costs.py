"""From measured costs to cameras per node: plain sums of processor time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from models.errors import BadInput
from realtime.assembly import CALM, DETECTION_SHARE, most_for_faces

_FRAME_STAGES = ("decode", "detect", "follow", "draw")


@dataclass(frozen=True)
class Costs:
    """Milliseconds of one core, as ``tools.benchmark --what stages`` measures them.

    Attributes:
        faces: numbers of faces in a frame, growing; of each stage of ``frame`` the cost at each.
        decision: of one look at one face; ``alarm`` what it costs more where it ends in an alarm.
        detect_every: frames between two searches for faces.
    """

    faces: tuple[float, ...]
    frame: Mapping[str, tuple[float, ...]]
    decision: float
    alarm: float
    detect_every: int

    def of_frame(self, stage: str, faces: float) -> float:
        """In between the measured numbers of faces along straight lines, beyond them along the last one."""
        known, costs = self.faces, self.frame[stage]
        if faces <= known[-1] or len(known) == 1:
            return float(np.interp(faces, known, costs))
        slope = (costs[-1] - costs[-2]) / (known[-1] - known[-2])
        return costs[-1] + max(0.0, slope) * (faces - known[-1])

    def of_decision(self, alarms: float) -> float:
        """A decision of which a share ``alarms`` ends in an alarm."""
        return self.decision + alarms * self.alarm


def read_costs(path: Path) -> Costs:
    """The costs in a file of ``tools.benchmark --what stages --json``.

    Raises:
        BadInput: it cannot be read, or is another measurement's.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))["results"]
        rows = sorted(found["frames"], key=lambda row: row["faces"])
        costs = Costs(
            tuple(float(row["faces"]) for row in rows),
            {stage: tuple(float(row[stage]) for row in rows) for stage in _FRAME_STAGES},
            float(found["decision"]["cpu"]),
            float(found["decision"]["alarm"]),
            int(found["detect_every"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path}: holds no costs of stages ({error}); measure them: python -m tools.benchmark --what stages"
            f" --json {path}"
        ) from None
    if not rows or costs.decision <= 0 or not all(math.isfinite(one) for one in costs.faces):
        raise BadInput(f"{path}: holds no costs of stages (no frames, or decisions that cost nothing); measure again")
    return costs


@dataclass(frozen=True)
class Scene:
    """What a camera sees: so many faces at once on average, at so many frames a second; ``alarms``: share of the
    decisions that end in one."""

    faces: float = 0.5
    fps: float = 25.0
    alarms: float = 0.02


@dataclass(frozen=True)
class Limits:
    """Cores that searching for faces, and following them, take at most, for all cameras together."""

    searching: float = DETECTION_SHARE
    following: float = math.inf

    @classmethod
    def of_live(cls, cores: float) -> Limits:
        """Those of a run that decides all the time. They count by the clock, and while every core decides and this is
        one thread more it gets ``cores / (cores + 1)`` of one."""
        gets, (searching, following) = cores / (cores + 1), most_for_faces(cores)
        return cls(gets * searching, gets * following)


FREELY = Limits()


def cores_of_cameras(costs: Costs, scene: Scene, cameras: float, limits: Limits = FREELY) -> float:
    """Cores that these cameras' frames take, decisions apart; where limits are reached some frames pass by."""
    frame = sum(costs.of_frame(stage, scene.faces) for stage in ("decode", "draw")) / 1e3
    follow = costs.of_frame("follow", scene.faces) / 1e3
    more = max(0.0, costs.of_frame("detect", scene.faces) - costs.of_frame("follow", scene.faces)) / 1e3
    searches = cameras * min(scene.fps / costs.detect_every, 1 / CALM)
    following = min(cameras * scene.fps * follow, limits.following)
    return cameras * scene.fps * frame + following + min(searches * more, limits.searching)


def decisions_per_second(costs: Costs, scene: Scene, *, cores: float, cameras: int = 1) -> float:
    """Decisions that are left for all faces together, where nobody holds back: a face has one per frame at most."""
    left = max(0.0, cores - cores_of_cameras(costs, scene, cameras, Limits.of_live(cores)))
    return min(left * 1e3 / costs.of_decision(scene.alarms), cameras * scene.faces * scene.fps)


def cameras_per_node(costs: Costs, scene: Scene, *, cores: float, per_face: float, busy: float) -> int:
    """The most cameras of which every face gets ``per_face`` decisions a second while ``busy`` of the cores work."""
    decisions = scene.faces * per_face * costs.of_decision(scene.alarms) / 1e3
    room = cores * busy
    most = 0
    while cores_of_cameras(costs, scene, most + 1) + (most + 1) * decisions <= room:
        most += 1
    return most


class Reckoned(TypedDict):
    """Decisions a second in ``one process`` or a ``cluster``; ``error`` is (reckoned - measured) / measured."""

    where: str
    faces: int
    cameras: int
    cores: float
    measured: float
    reckoned: float
    error: float | None


def against_live(costs: Costs, rows: Sequence[Mapping[str, Any]], cores: float | None) -> list[Reckoned]:
    """Decisions a second as reckoned and as ``tools.benchmark --what live`` measured them, row by row.

    ``cores`` that the runs had to themselves; None: those that each run got, on a machine with other things to do.
    """
    found: list[Reckoned] = []
    for row in rows:
        fps = sum(row["captured_fps"].values()) / max(1, len(row["captured_fps"]))
        had = cores or row["cpu_percent_of_a_core"] / 100
        alarms = row["full_decisions"] / max(1, row["decisions"])
        scene, measured = Scene(row["faces"] / row["cameras"], fps, alarms), row["decisions_per_second"]
        found.append(_beside(costs, scene, had, row["cameras"], measured, "one process"))
    return found


def against_cluster(costs: Costs, results: Mapping[str, Any]) -> list[Reckoned]:
    """The same of ``tools.benchmark --what cluster``: one process and a cluster on the same cores."""
    costs = replace(costs, detect_every=int(results["detect_every"]))
    found: list[Reckoned] = []
    for where in ("one_process", "cluster"):
        side = results[where]
        scene, measured = Scene(1.0, results["fps"], side["alarms"]), side["decisions_per_second"]
        found.append(_beside(costs, scene, results["cores"], results["cameras"], measured, where.replace("_", " ")))
    return found


def _beside(costs: Costs, scene: Scene, cores: float, cameras: int, measured: float, where: str) -> Reckoned:
    expected = decisions_per_second(costs, scene, cores=cores, cameras=cameras)
    return {
        "where": where,
        "faces": round(scene.faces * cameras),
        "cameras": cameras,
        "cores": round(cores, 2),
        "measured": measured,
        "reckoned": round(expected, 2),
        "error": round(expected / measured - 1, 3) if measured else None,
    }

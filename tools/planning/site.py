"""A site from 10 to 100,000 cameras: its nodes, and what a calm hour, a rush and a lost node do there."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from models.errors import BadInput
from realtime.schedule import SETTLED, SOON
from realtime.verdicts.agreement import VerdictRules
from tools.planning.costs import Costs, Scene, cameras_per_node, cores_of_cameras
from tools.planning.queue import Crowd, Habits, Loss, Seen, Site

#: Nodes that are simulated where there are more: each decides for its own cameras, so they do not touch each other
#: but for a lost one's cameras, of which more nodes take a smaller share each.
MOST_NODES = 8
_OVER_BY = 2.0  # seconds that count as the last moment's: what began before is not cut off


@dataclass(frozen=True)
class Wishes:
    """What is planned for.

    Attributes:
        cores: of one node.
        scene: what a camera sees in the rush: ``faces`` at once on average.
        calm: the share of the rush's faces that come otherwise.
        stay: seconds that a face is before a camera, on average.
        busy: share of a node's cores that may work in the rush.
        spare: nodes more than the rush needs.
        failover: seconds until a lost node's cameras are live elsewhere.
        seconds: of each of the three parts of the simulation: calm, rush, rush with a node lost.
    """

    cores: int = 16
    scene: Scene = field(default_factory=Scene)
    calm: float = 0.25
    stay: float = 8.0
    busy: float = 0.7
    spare: int = 1
    failover: float = 10.0
    seconds: float = 120.0
    seed: int = 0

    @property
    def habits(self) -> Habits:
        """The live pipeline's own."""
        rules = VerdictRules()
        return Habits(verdict=max(rules.agreement, SETTLED), soon=SOON, within=rules.max_age)

    @property
    def per_face(self) -> float:
        """Decisions a second that a face asks for on average: its first ones soon, the others now and then."""
        habits = self.habits
        begins = habits.verdict * habits.soon
        later = max(0.0, self.stay - begins) / habits.within
        return (habits.verdict + later) / max(self.stay, begins)


class Spread(TypedDict):
    """Seconds; None where nobody was seen."""

    p50: float | None
    p95: float | None
    worst: float | None


class Part(TypedDict):
    """A part in figures, seconds: until a verdict, and between two decisions of a face."""

    faces: int
    until_verdict: Spread
    between_decisions: Spread
    left_without_verdict: float | None


class PlannedPart(Part):
    """``decisions_take``: the share of the nodes' time that decisions take."""

    decisions_take: float


class PlannedSite(TypedDict):
    cameras: int
    nodes: int
    cameras_per_node: float
    simulated_nodes: int
    calm: PlannedPart
    rush: PlannedPart
    node_lost: PlannedPart


def per_node(costs: Costs, wishes: Wishes, cores: int) -> int:
    """Cameras that a node with so many cores carries in the rush."""
    return cameras_per_node(costs, wishes.scene, cores=cores, per_face=wishes.per_face, busy=wishes.busy)


def planned(costs: Costs, wishes: Wishes, cameras: int) -> PlannedSite:
    """Nodes for so many cameras, and what verdicts are like there.

    Raises:
        BadInput: a node carries not even one camera.
    """
    most = per_node(costs, wishes, wishes.cores)
    if most < 1:
        raise BadInput(
            f"--cores {wishes.cores}: not even one camera of {wishes.scene.faces:g} faces at"
            f" {wishes.scene.fps:g} frames a second fits; give more cores, fewer --faces or a lower --fps"
        )
    nodes = math.ceil(cameras / most) + wishes.spare
    each = cameras / nodes
    seen = simulated(costs, wishes, each, min(nodes, MOST_NODES))
    shown = min(nodes, MOST_NODES)
    parts: dict[str, PlannedPart] = {}
    for name, begin in _parts(wishes).items():
        alive = shown - (name == "node_lost")
        worked = float(seen.between("busy", begin, begin + wishes.seconds).sum())
        take = round(worked / (wishes.seconds * max(1, alive)), 3)
        parts[name] = {**part_of(seen, begin, begin + wishes.seconds), "decisions_take": take}
    return {
        "cameras": cameras,
        "nodes": nodes,
        "cameras_per_node": round(each, 2),
        "simulated_nodes": shown,
        "calm": parts["calm"],
        "rush": parts["rush"],
        "node_lost": parts["node_lost"],
    }


def simulated(costs: Costs, wishes: Wishes, cameras: float, nodes: int) -> Seen:
    """Calm, then the rush, then the rush with a node lost (where there is another one)."""
    rush = wishes.scene.faces / wishes.stay
    begins = _parts(wishes)

    def rate(now: float) -> float:
        return rush if now >= begins["rush"] - wishes.stay else wishes.calm * rush

    def seconds(looked_after: float) -> float:
        left = max(0.01 * wishes.cores, wishes.cores - cores_of_cameras(costs, wishes.scene, looked_after))
        return costs.of_decision(wishes.scene.alarms) / 1e3 / left

    loss = Loss(begins["node_lost"], wishes.failover) if nodes > 1 else None
    site = Site(
        nodes=nodes,
        cameras=cameras,
        crowd=Crowd(rate, rush, wishes.stay),
        seconds=seconds,
        habits=wishes.habits,
        loss=loss,
        seed=wishes.seed,
    )
    return site.run(begins["node_lost"] + wishes.seconds + _OVER_BY)


def _parts(wishes: Wishes) -> dict[str, float]:
    """When each part begins; before the first the site fills."""
    fills = 2 * wishes.stay
    return {
        "calm": fills,
        "rush": fills + wishes.seconds + wishes.stay,
        "node_lost": fills + 2 * wishes.seconds + wishes.stay,
    }


def part_of(seen: Seen, begin: float, end: float) -> Part:
    """What was seen from ``begin`` on, before ``end``."""
    verdicts, gaps, gone = (seen.between(what, begin, end) for what in ("verdicts", "gaps", "gone"))
    faces = len(verdicts) + len(gone)
    return {
        "faces": faces,
        "until_verdict": _spread(verdicts),
        "between_decisions": _spread(gaps),
        "left_without_verdict": round(len(gone) / faces, 4) if faces else None,
    }


def _spread(values: npt.NDArray[np.float64]) -> Spread:
    if not len(values):
        return {"p50": None, "p95": None, "worst": None}
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "worst": round(float(values.max()), 3)}


def assumptions(wishes: Wishes) -> dict[str, object]:
    """What the figures hang on, for the record."""
    return asdict(wishes) | {"habits": asdict(wishes.habits), "decisions_per_second_of_a_face": wishes.per_face}

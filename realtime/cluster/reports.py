"""What a cluster says of itself. Read by commands too, so it imports no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from realtime.cameras.states import CameraStatus


@dataclass(frozen=True)
class Seen:
    """That a person was seen by a camera so many seconds ago, and an event says so."""

    camera: str
    name: str
    ago: float


@dataclass(frozen=True)
class Report:
    """How a group is. ``number`` is None where it has nothing to do; ``decided`` are crops."""

    number: int | None
    node: str
    process: int
    cameras: tuple[CameraStatus, ...] = ()
    counts: dict[str, Any] | None = None
    engine: str = ""

    def on_its_node(self) -> list[CameraStatus]:
        """Its cameras, each with the node's name."""
        return [replace(camera, node=self.node) for camera in self.cameras]


@dataclass(frozen=True)
class Overview:
    """The cluster at a moment: nodes with their cores, reports of all groups, what waits and why, moves so far.

    ``spares``: the nodes that have a process ready for a group that must move.
    """

    nodes: dict[str, float]
    reports: Sequence[Report]
    waiting: Sequence[str]
    moves: int
    metrics: dict[str, int]
    spares: Sequence[str]
    page: str | None = None

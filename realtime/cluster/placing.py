"""Which group of cameras runs where, and what is done when one has gone: it moves to a process that waits for that.

Every node but the head has a spare, a process of a group with everything imported and nothing to do. A group whose
process died, alone or with its node, is given to the spare of the node with the fewest cameras per core; then a new
spare is started.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from realtime.cluster.ray_here import HEAD
from realtime.settings.config import CameraConfig


@dataclass(frozen=True)
class GroupPlan:
    """A group and its cameras. ``node``: the only one that reaches them."""

    number: int
    cameras: tuple[str, ...]
    node: str | None = None


@dataclass
class NodePlan:
    """A node that lives: its cores, and the groups that run on it."""

    name: str
    cores: float
    groups: list[GroupPlan] = field(default_factory=list)

    @property
    def load(self) -> float:
        """Cameras per core."""
        return sum(len(group.cameras) for group in self.groups) / max(self.cores, 0.1)


def groups_of(cameras: Sequence[CameraConfig], pinned: Mapping[str, str], per_group: int) -> list[GroupPlan]:
    """The cameras in groups, in their order; those of one pinned node share groups with each other only."""
    by_node: dict[str | None, list[str]] = {}
    for camera in cameras:
        by_node.setdefault(pinned.get(camera.name), []).append(camera.name)
    groups: list[GroupPlan] = []
    for node, names in by_node.items():
        for first in range(0, len(names), per_group):
            groups.append(GroupPlan(len(groups), tuple(names[first : first + per_group]), node))
    return groups


def place(group: GroupPlan, nodes: Sequence[NodePlan]) -> NodePlan | None:
    """The node that the group should run on; None where none may."""
    able = [node for node in nodes if group.node in (None, node.name)]
    return min(able, key=lambda node: (node.load, node.name), default=None)


def hosts_of(nodes: Collection[str], groups: Sequence[GroupPlan]) -> list[str]:
    """The nodes that get groups: the head only where it is alone, or the only one that reaches a camera.

    So all cameras go on while the head is away.
    """
    others = [name for name in nodes if name != HEAD or any(group.node == HEAD for group in groups)]
    return others or list(nodes)


def waits_for(group: GroupPlan, nodes: Sequence[NodePlan]) -> str:
    """Why a group runs nowhere, in one line."""
    cameras = ", ".join(group.cameras)
    if group.node is not None and group.node not in {node.name for node in nodes}:
        return f"{cameras}: pinned to node {group.node}, which is away; start it, or change cluster.pinned"
    return f"{cameras}: no node is ready; start one with cluster up --node NAME"

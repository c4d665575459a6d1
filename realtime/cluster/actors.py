"""The processes of a cluster as Ray knows them: how each is started, found and ended."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from realtime.cluster.group import CameraGroup
from realtime.cluster.ray_here import NAMESPACE, NODE_LABEL
from realtime.cluster.remote import APPLICATION, DEPLOYMENT, Known
from realtime.cluster.reports import Seen
from realtime.cluster.steward import Steward
from realtime.settings.config import DetectionConfig

GROUP, STEWARD, KEEPER, FRONT = "group-", "steward-", "keeper", "front"
THREADS = 8  # calls that a process answers at a time
DETACHED: dict[str, Any] = {"namespace": NAMESPACE, "lifetime": "detached", "num_cpus": 0}


def living_nodes() -> dict[str, tuple[str, float]]:
    """The nodes that live and bear a name: Ray's number of each, and its cores."""
    found = {}
    for node in ray.nodes():
        name = node.get("Labels", {}).get(NODE_LABEL)
        if node["Alive"] and name:
            found[name] = (node["NodeID"], float(node["Resources"].get("CPU", 0)))
    return found


def _on(number: str, *, only: bool = True) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node_id=number, soft=not only)


def group(node: str, number: str, detection: DetectionConfig) -> Any:
    """A process for a group of cameras; it is not started again by itself: the keeper decides where to."""
    options = {**DETACHED, "name": f"{GROUP}{uuid.uuid4().hex[:12]}", "max_concurrency": THREADS, "max_restarts": 0}
    return ray.remote(CameraGroup).options(**options, scheduling_strategy=_on(number)).remote(node, detection)


def steward(node: str, number: str, folder: str | None) -> Any:
    """The node's steward."""
    with contextlib.suppress(ValueError):
        return ray.get_actor(f"{STEWARD}{number[:12]}-{node}", NAMESPACE)
    options = {**DETACHED, "name": f"{STEWARD}{number[:12]}-{node}", "max_concurrency": THREADS, "max_restarts": -1}
    actor = ray.remote(Steward).options(**options, scheduling_strategy=_on(number))
    return actor.remote(node, None if folder is None else Path(folder))


def found(prefix: str) -> list[tuple[str, Any]]:
    """Those processes that live and whose name begins so."""
    names = [one["name"] for one in ray.util.list_named_actors(all_namespaces=True) if one["namespace"] == NAMESPACE]
    actors = []
    for name in names:
        if name.startswith(prefix):
            with contextlib.suppress(ValueError):
                actors.append((name, ray.get_actor(name, NAMESPACE)))
    return actors


def end(actor: Any) -> None:
    """End a process at once."""
    with contextlib.suppress(RayError, ValueError):
        ray.kill(actor)


def keeper_part(checksum: str, offset: int) -> bytes:
    """A part of a file that the keeper gives out."""
    return bytes(ray.get(ray.get_actor(KEEPER, NAMESPACE).part.remote(checksum, offset)))


def seen_by(cameras: Sequence[str]) -> Sequence[Seen]:
    """Who was seen by those cameras lately, as far as it is collected; nobody where the front does not answer."""
    try:
        return list(ray.get(ray.get_actor(FRONT, NAMESPACE).seen_by.remote(tuple(cameras)), timeout=2.0))
    except (ValueError, RayError, GetTimeoutError):
        return ()


def known() -> Known:
    """What the recognisers say of themselves; waits for the first of them."""
    from ray import serve

    answer: Known = serve.get_deployment_handle(DEPLOYMENT, APPLICATION).known.remote().result(timeout_s=300)
    return answer

"""Brings a cluster's parts up on nodes that run Ray, and takes them down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from models.bundle_info import find_bundle
from models.errors import BadInput
from realtime.cluster.ray_here import HEAD, NAMESPACE, NODE_LABEL, address_of, folder_of, listens, ray_module
from realtime.cluster.settings import ClusterConfig, ClusterSection

_UP = 180.0  # seconds until the recognisers answer
_AGAIN = {"max_restarts": -1, "max_task_retries": 3}


def connect(section: ClusterSection, node: str | None = None) -> Any:
    """Ray, connected to the head of this configuration, through that node of this machine.

    Raises:
        BadInput: nobody is there, or its version of Ray or Python is another than this one's.
    """
    ray = ray_module(section)
    where = f"{address_of(section.host)}:{section.port}"
    if ray.is_initialized():
        return ray
    if not listens(address_of(section.host), section.port):
        raise BadInput(why_not_connected("", where))
    try:
        ray.init(
            address=where,
            namespace=NAMESPACE,
            _node_ip_address=address_of(section.host),
            **({} if node is None else {"_temp_dir": str(folder_of(section, node))}),
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise BadInput(why_not_connected(str(error), where)) from None
    return ray


def why_not_connected(said: str, where: str) -> str:
    """One line for what Ray said of a head that it could not connect to."""
    if "ersion mismatch" in said:
        words = " ".join(said.split())
        line = "this machine's Ray or Python is another version than the head's; install the same"
        return f"cluster at {where}: {line}: {words[:300]}"
    return f"cluster at {where}: nobody answers; start it with cluster up, or look at cluster.host and cluster.port"


def cause_of(error: Exception) -> str:
    """What Ray's long message says went wrong, in one line: its last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("models.errors.BadInput: ") if lines else type(error).__name__


def deploy(config: ClusterConfig, said: Callable[[str], None] = lambda line: None) -> None:
    """Start recognisers, keeper and front, or take up a changed number of recognisers. Needs ``connect``.

    Raises:
        BadInput: a bundle that cannot be found, or recognisers that do not start.
    """
    import ray

    from realtime.cluster import actors
    from realtime.cluster.serving import serve_recognisers, start_serve

    bundle = find_bundle(config.recognition.bundle)
    if actors.found(actors.KEEPER):
        raise BadInput("this cluster is up already; look at it with cluster status, or end it with cluster down")
    keeper, front = _keeper(config, str(bundle)), _front(config)  # each takes seconds to import what it needs
    start_serve()
    people = ray.get(keeper.people.remote(), timeout=_UP)
    said(f"recognisers start with bundle {bundle.name}")
    serve_recognisers(config, people)
    try:
        ray.get(front.url.remote(), timeout=_UP)
    except ray.exceptions.RayError as error:
        raise BadInput(f"the front does not start: {cause_of(error)}") from None


def _keeper(config: ClusterConfig, bundle: str) -> Any:
    """The one keeper."""
    import ray

    from realtime.cluster import actors
    from realtime.cluster.keeper import Keeper

    options = {
        **actors.DETACHED,
        "name": actors.KEEPER,
        "max_concurrency": 2 * actors.THREADS,
        "max_restarts": -1,
        "max_task_retries": 3,
    }
    return ray.remote(Keeper).options(**options, **_on_head()).remote(config, bundle)


def _front(config: ClusterConfig) -> Any:
    """The one front: the page, and the store that evidence is collected to."""
    import ray

    from realtime.cluster import actors
    from realtime.cluster.front import Front

    options = {
        **actors.DETACHED,
        "name": actors.FRONT,
        "max_concurrency": actors.THREADS,
        "max_restarts": -1,
        "max_task_retries": 3,
    }
    return ray.remote(Front).options(**options, **_on_head()).remote(config)


def _on_head() -> dict[str, Any]:
    """Whichever node bears the head's name, also after another head was started in its place."""
    from ray.util.scheduling_strategies import In, NodeLabelSchedulingStrategy

    return {"scheduling_strategy": NodeLabelSchedulingStrategy(hard={NODE_LABEL: In(HEAD)})}


def overview() -> Any:
    """How the cluster is, ``reports.Overview``. Raises ``BadInput`` where it is not up."""
    import ray

    from realtime.cluster import actors

    try:
        return ray.get(ray.get_actor(actors.KEEPER, NAMESPACE).overview.remote(), timeout=30)
    except (ValueError, ray.exceptions.RayError):
        raise BadInput("Ray runs, and no keeper on it; start the cluster with cluster up") from None


def page() -> str | None:
    """The address of the page."""
    import ray

    from realtime.cluster import actors

    with contextlib.suppress(ValueError, ray.exceptions.RayError):
        found: str | None = ray.get(ray.get_actor(actors.FRONT, NAMESPACE).url.remote(), timeout=30)
        return found
    return None


def wait_until_placed(seconds: float) -> Any:
    """The overview once every group has begun, or when the time is over."""
    end = time.monotonic() + seconds
    while (found := overview()).waiting and time.monotonic() < end:
        time.sleep(0.3)
    return found


def take_down() -> None:
    """End groups, front, keeper and recognisers in good order."""
    import ray
    from ray import serve

    from realtime.cluster import actors

    for name in (actors.KEEPER, actors.FRONT):  # the front collects what the groups stored last
        with contextlib.suppress(ValueError, ray.exceptions.RayError):
            ray.get(ray.get_actor(name, NAMESPACE).stop.remote(), timeout=30)
    for prefix in (actors.GROUP, actors.STEWARD, actors.KEEPER, actors.FRONT):
        for _, actor in actors.found(prefix):
            actors.end(actor)
    serve.shutdown()

"""Brings a cluster's parts up on nodes that run Ray, and takes them down."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from models.bundle_info import find_bundle
from models.errors import BadInput
from realtime.cluster.parcels import parcel_of
from realtime.cluster.ray_here import NAMESPACE, address_of, folder_of, ray_module
from realtime.cluster.settings import ClusterConfig, ClusterSection, config_of_group
from realtime.people.place import bundle_of, gallery_file

_UP = 180.0  # seconds until the recognisers answer


def connect(section: ClusterSection, node: str | None = None) -> Any:
    """Ray, connected to the head of this configuration, through that node of this machine.

    Raises:
        BadInput: nobody is there, or its version of Ray or Python is another than this one's.
    """
    ray = ray_module(section)
    where = f"{address_of(section.host)}:{section.port}"
    if ray.is_initialized():
        return ray
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


def deploy(config: ClusterConfig, said: Callable[[str], None] = lambda line: None) -> None:
    """Start recognisers, keeper and front, or take up a changed number of recognisers. Needs ``connect``.

    Raises:
        BadInput: a bundle that cannot be found, or recognisers that do not start.
    """
    import ray
    from ray import serve

    from realtime.cluster import actors

    bundle = find_bundle(bundle_of(config.recognition))
    if actors.found(actors.KEEPER):
        raise BadInput("this cluster is up already; look at it with cluster status, or end it with cluster down")
    keeper = actors.keeper(config, str(bundle))
    ray.get(keeper.part.remote(next(iter(parcel_of(bundle).checksums.values())), 0), timeout=120)
    said(f"recognisers start with bundle {bundle.name}")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(proxy_location="Disabled")
    serve.run(_application(config, bundle), name="spectaclear", route_prefix=None, blocking=False)
    known = actors.known()
    front = actors.front(config)
    ray.get(front.url.remote(), timeout=120)
    ray.get(keeper.begin.remote(known), timeout=60)


def _application(config: ClusterConfig, bundle: Any) -> Any:
    from ray import serve

    from realtime.cluster.recognising import Recognising

    section = config.cluster
    plain = config_of_group(config, [], None)
    most = section.most_replicas or section.replicas
    options: dict[str, Any] = {"num_replicas": section.replicas}
    if most > section.replicas:
        scaling = {"min_replicas": section.replicas, "max_replicas": most, "target_ongoing_requests": 2}
        options = {"autoscaling_config": scaling}
    people = gallery_file(config.recognition)
    deployment = serve.deployment(Recognising).options(
        name="recogniser",
        ray_actor_options={"num_cpus": section.cores_per_replica, "num_gpus": section.gpus_per_replica},
        max_ongoing_requests=max(100, 2 * section.waiting),
        health_check_period_s=2,
        health_check_timeout_s=10,
        graceful_shutdown_timeout_s=5,
        user_config={"people": None if people is None or not people.exists() else _shown(people)},
        **options,
    )
    return deployment.bind(plain, section, parcel_of(bundle))


def _shown(people: Any) -> str:
    """Let the keeper give the people's file out; gives its checksum."""
    import hashlib
    import shutil

    import ray

    from models.graphs.cache import cache_folder
    from realtime.cluster import actors

    checksum = hashlib.sha256(people.read_bytes()).hexdigest()
    folder = cache_folder() / "people" / checksum
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(people, folder / "people.npz")
    ray.get(ray.get_actor(actors.KEEPER, NAMESPACE).show.remote(str(folder)), timeout=30)
    return checksum


def overview() -> Any:
    """How the cluster is, ``keeper.Overview``. Raises ``BadInput`` where it is not up."""
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

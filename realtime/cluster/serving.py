"""The recognisers as Serve starts and scales them, and lets them know other people."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ray import serve

from models.bundle_info import find_bundle
from realtime.cluster.parcels import parcel_of
from realtime.cluster.ray_here import HEAD, NODE_LABEL
from realtime.cluster.recognising import Recognising
from realtime.cluster.remote import APPLICATION, DEPLOYMENT
from realtime.cluster.settings import ClusterConfig, config_of_group

#: Than on the head, which may be away for a while.
_RATHER_ELSEWHERE = {
    "label_selector": {NODE_LABEL: f"!{HEAD}"},
    "fallback_strategy": [{"label_selector": {NODE_LABEL: HEAD}}],
}


def application(config: ClusterConfig, bundle: Path, people: str | None) -> Any:
    """The recognisers as Serve starts and scales them; ``people``: the checksum of the file that they know."""
    section = config.cluster
    most = section.most_replicas or section.replicas
    options: dict[str, Any] = {"num_replicas": section.replicas}
    if most > section.replicas:
        scaling = {"min_replicas": section.replicas, "max_replicas": most, "target_ongoing_requests": 2}
        options = {"autoscaling_config": scaling}
    deployment = serve.deployment(Recognising).options(
        name=DEPLOYMENT,
        ray_actor_options={
            "num_cpus": section.cores_per_replica,
            "num_gpus": section.gpus_per_replica,
            **_RATHER_ELSEWHERE,
        },
        max_ongoing_requests=max(100, 2 * section.waiting),
        health_check_period_s=2,
        health_check_timeout_s=10,
        graceful_shutdown_timeout_s=5,
        graceful_shutdown_wait_loop_s=0.2,  # at least once
        user_config={"people": people},
        logging_config={"enable_access_log": False, "log_level": "WARNING"},  # a line for every crop otherwise
        **options,
    )
    return deployment.bind(config_of_group(config, [], None), section, parcel_of(bundle))


def start_serve() -> None:
    """Start what looks after the recognisers, where it does not run yet. Needs ``connect``."""
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(proxy_location="Disabled")


def serve_recognisers(config: ClusterConfig, people: str | None) -> None:
    """Start the recognisers, or let those that run know other people. Needs ``connect``."""
    start_serve()
    bundle = find_bundle(config.recognition.bundle)
    serve.run(application(config, bundle, people), name=APPLICATION, route_prefix=None, blocking=False)

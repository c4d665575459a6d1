"""Ray, as this program uses it: reports to its makers off, one line where it is missing, quick to notice a death."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from models.errors import BadInput
from realtime.cluster.settings import ClusterSection
from realtime.cluster.start_ray import stay_on_loopback

NAMESPACE = "spectaclear"
#: The label of a node that bears its name.
NODE_LABEL = "spectaclear-node"
#: The name of the node that the head runs on.
HEAD = "head"
_NOT_INSTALLED = "a cluster needs Ray, which is not installed; install it: pip install 'spectaclear[cluster]'"
_LOOPBACK = "127.0.0.1"

_QUICK = {  # a node whose process has gone is noticed within about three seconds, one that hangs within twelve
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_prestart_worker_first_driver": "0",  # a worker for every core, that nobody needs
    "RAY_worker_niceness": "0",  # Ray's processes would give way to everything else on the machine
    "RAY_agent_register_timeout_ms": "180000",  # a node ends itself where its helper starts slowly, on a busy machine
    # whoever asks looks which recogniser has time: what it remembers of them knows nothing of what others ask
    "RAY_SERVE_QUEUE_LENGTH_CACHE_TIMEOUT_S": "0",
    "RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S": "0.5",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",  # ten times a second is a lot on few cores
    "RAY_enable_metrics_collection": "0",  # what nobody reads: Ray's own figures, and a line about every call
    "RAY_task_events_report_interval_ms": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "300",  # a head may be away so long
}


def environment(section: ClusterSection) -> dict[str, str]:
    """What Ray's processes need to find in their environment."""
    here = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "PYTHONPATH": here, **_QUICK}
    if section.certificate and section.key and section.authority:
        found |= {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": section.certificate,
            "RAY_TLS_SERVER_KEY": section.key,
            "RAY_TLS_CA_CERT": section.authority,
        }
    if section.redis is not None:
        found |= {
            "RAY_REDIS_ADDRESS": section.redis,
            "RAY_external_storage_namespace": f"spectaclear-{section.port}",
        }
    return found | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file(section))}


def folder_of(section: ClusterSection, node: str) -> Path:
    """Where Ray keeps the files of a node: sockets and logs. Short, because a socket's path may have 107 characters."""
    return Path(
        "/tmp" if os.name == "posix" else os.environ.get("TEMP", "."), f"spectaclear-{section.port}-{node}"[:40]
    )


def token_file(section: ClusterSection) -> Path:
    """Where the secret lies that Ray's ports ask for."""
    from realtime.people.place import data_folder  # it imports the engines

    return data_folder() / "cluster-token" if section.token is None else Path(section.token)


def make_token(section: ClusterSection, *, head: bool) -> None:
    """On the head make the secret, where there is none; elsewhere it has to be there.

    Raises:
        BadInput: it is not there, or cannot be written.
    """
    file = token_file(section)
    if file.is_file():
        return
    if not head:
        raise BadInput(f"{file}: the cluster's token is not here; copy it from the head, or give cluster.token")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(32))
    except OSError as error:
        raise BadInput(
            f"{file}: the cluster's token cannot be written ({error.strerror}); give cluster.token"
        ) from None


def ray_module(section: ClusterSection) -> ModuleType:
    """Ray. Raises ``BadInput`` where it is not installed."""
    os.environ |= environment(section)
    try:
        import ray
        from ray import serve  # noqa: F401 - it has requirements of its own
    except ImportError:
        raise BadInput(_NOT_INSTALLED) from None
    if is_loopback(section.host):
        stay_on_loopback()
    module: ModuleType = ray
    return module


def versions() -> dict[str, str]:
    """What has to be the same on all nodes."""
    try:
        ray = version("ray")
    except PackageNotFoundError:
        raise BadInput(_NOT_INSTALLED) from None
    return {"ray": ray, "python": ".".join(map(str, sys.version_info[:3]))}


def address_of(host: str) -> str:
    """The address that Ray is to listen on for ``host``."""
    return _LOOPBACK if is_loopback(host) else host


def listens(host: str, port: int) -> bool:
    """Whether somebody does there: Ray itself would try for two minutes."""
    try:
        socket.create_connection((host, port), timeout=3.0).close()
    except OSError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_strangers(host: str, *, i_know: bool) -> str | None:
    """What to say of an address that other machines reach; None for loopback.

    Raises:
        BadInput: everybody could reach it: it is a public one, or stands for every interface.
    """
    if is_loopback(host):
        return None
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise BadInput(f"cluster.host: {host} is no address; give one, such as 192.168.1.10") from None
    if address.is_unspecified:
        raise BadInput(f"cluster.host: {host} stands for every interface; give the address of one")
    if not address.is_private and not i_know:
        raise BadInput(
            f"cluster.host: {host} is a public address, and whoever knows the cluster's token runs any program on its "
            "nodes; give a private one, or say --i-know"
        )
    return (
        f"Ray listens on every interface of this machine, not on {host} only: whoever reaches its ports and knows the "
        "cluster's token runs any program on its nodes; keep strangers out with a firewall"
    )

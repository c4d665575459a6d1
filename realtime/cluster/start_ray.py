"""``ray start`` that stays on loopback where it is told to: run as a program by ``commands.start_ray``.

Ray 2.60 replaces 127.0.0.1 by the address that other machines see, and then listens on every interface. Told no other
address, it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any


def stay_on_loopback() -> None:
    """Let Ray take 127.0.0.1 for what it is, in this process. It has no setting for that."""
    services: Any = import_module("ray._private.services")

    services.resolve_ip_for_localhost = lambda host: host
    services.get_node_ip_address = lambda address=None: "127.0.0.1"


def answer_on(address: str) -> None:
    """Let the Serve replica in this process listen on that address; to be called before it is ready.

    Serve 2.60 opens a port on every interface for calls between deployments, and unpickles what comes there.
    """
    replica: Any = import_module("ray.serve._private.replica")

    add = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, where: add(server, f"{address}:{where.rpartition(':')[2]}")


def be_patient(seconds: float = 120.0) -> None:
    """Let Ray wait so long for its own first process; it gives itself half a minute, and a busy machine needs more."""
    services: Any = import_module("ray._private.services")
    look = services.get_node

    def get_node(address: str, number: str) -> Any:
        end = time.monotonic() + seconds
        while True:
            try:
                return look(address, number)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    services.get_node = get_node


def start_few() -> None:
    """Start no helpers of Ray's that nobody here asks: they have no setting, and take seconds to start.

    These are the dashboard's server, which also runs where there is no dashboard, the server for Ray's own client,
    and what each node's agent would offer the two.
    """
    node: Any = import_module("ray._private.node")
    utils: Any = import_module("ray._private.utils")
    scripts: Any = import_module("ray.scripts.scripts")

    def missing() -> ImportError:
        return ImportError("not used")

    node.Node.start_api_server = lambda self, **how: None
    utils.get_dashboard_dependency_error = missing
    scripts.get_ray_client_dependency_error = missing


if __name__ == "__main__":
    import sys

    if any(argument.startswith("127.0.0.1") for argument in sys.argv):
        stay_on_loopback()
    be_patient()
    start_few()
    import_module("ray.scripts.scripts").main()

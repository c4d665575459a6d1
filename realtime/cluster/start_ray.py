"""``ray start`` that stays on loopback where it is told to: run as a program by ``commands.start_ray``.

Ray 2.60 replaces 127.0.0.1 by the address that other machines see, and then listens on every interface. Told no other
address, it listens on 127.0.0.1 only.
"""

from __future__ import annotations


def stay_on_loopback() -> None:
    """Let Ray take 127.0.0.1 for what it is, in this process. It has no setting for that."""
    from ray._private import services

    services.resolve_ip_for_localhost = lambda host: host
    services.get_node_ip_address = lambda address=None: "127.0.0.1"


def answer_on(address: str) -> None:
    """Let the Serve replica in this process listen on that address; to be called before it is ready.

    Serve 2.60 opens a port on every interface for calls between deployments, and unpickles what comes there.
    """
    from ray.serve._private import replica

    add = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, where: add(server, f"{address}:{where.rpartition(':')[2]}")


if __name__ == "__main__":
    import sys

    if any(argument.startswith("127.0.0.1") for argument in sys.argv):
        stay_on_loopback()
    from ray.scripts.scripts import main

    main()

"""Independent pieces of work as Ray's tasks: started here on loopback, or sent to a cluster that is there.

Ray's own ports have no authentication. What is started here listens on 127.0.0.1 alone and ends with the command; a
cluster that is joined listens where whoever started it said. (That Ray reports its usage to its makers is switched
off in ``models.no_telemetry``.)
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

import torch

from models.errors import BadInput, first_line
from models.recogniser import Recogniser
from realtime.cluster.start_ray import stay_on_loopback
from realtime.system.threads import usable_cores
from tools.fan_out.travel import Luggage, arrived, packed

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

HERE = "local"
LOOPBACK = "127.0.0.1"
INSTALL = "python -m pip install 'spectaclear[cluster]'"
_ADDRESS = re.compile(r"(ray://)?(?P<host>[\w.\-]+|\[[\da-fA-F:]+\]):(?P<port>\d{1,5})")
_ANSWERS = 5.0  # seconds
_STORE = 512 << 20  # bytes: crops and a few networks
_ATTEMPTS = 3  # on a busy machine Ray's agent can take longer to start than the 15 s that its node waits
_SYSTEM = {"worker_niceness": 0}  # Ray: 15; beside other work its workers would hardly get on
_WAITING = 2  # tasks that wait for each core: enough to keep it busy, few enough to stop soon


class Fan:
    """Workers, each with this command's engine and threads. Use as a context manager.

    Args:
        address: ``local`` starts Ray on this machine's cores, ``auto`` or HOST:PORT joins a cluster that this machine
            is part of.
        engine, threads: what a recogniser runs with wherever it comes to; a task takes ``threads`` cores.

    Raises:
        BadInput: Ray is not installed, or nothing answers at the address.
    """

    def __init__(self, address: str, *, engine: str, threads: int, cores: int | None = None) -> None:
        self.address, self.engine, self.threads = address, engine, threads
        self._cores = max(cores or usable_cores(), threads)
        self._ray: Any = None

    def __enter__(self) -> Fan:
        ray = _ray()
        options: dict[str, object] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.address == HERE:
            stay_on_loopback()
            options |= {"address": "local", "num_cpus": self._cores, "num_gpus": 0, "include_dashboard": False}
            options |= {"_node_ip_address": LOOPBACK}
            options |= {"object_store_memory": _STORE, "_system_config": dict(_SYSTEM)}
        else:
            options["address"] = self.address
        try:
            _begun(ray, options, _ATTEMPTS if self.address == HERE else 1)
        except Exception as error:  # Ray's own kinds, gRPC's, and plain ones
            raise BadInput(
                f"--ray {self.address}: no Ray answers there ({first_line(error)}); give --ray alone for this"
                " machine, auto for a cluster that it is part of, or its HOST:PORT"
            ) from None
        ray.util.register_serializer(Recogniser, serializer=self._packed, deserializer=arrived)
        self._ray = ray
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ray.util.deregister_serializer(Recogniser)
        self._ray.shutdown()

    def map(
        self, work: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """``work(shared, item)`` of every item, with its place, in the order in which they are done.

        ``shared`` travels once to each node and is unpacked once in each worker. ``work`` is a module's own function.
        A task whose worker or node dies is done again elsewhere.

        Raises:
            BadInput: as ``work`` raises it, or a node cannot run it.
        """
        ray = self._ray
        everywhere = ray.put(shared)
        task = ray.remote(_worked).options(num_cpus=self.threads, max_retries=3)
        at_once = max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads) * _WAITING
        left = iter(enumerate(items))
        running: dict[Any, int] = {}
        try:
            while True:
                for place, item in left:
                    running[task.remote([everywhere], work, item, self.threads)] = place
                    if len(running) >= at_once:
                        break
                if not running:
                    return
                (done, *_), _ = ray.wait(list(running), num_returns=1)
                yield running.pop(done), self._got(done)
        finally:
            for task_ref in running:  # interrupted: nobody waits for these any more
                with contextlib.suppress(Exception):
                    ray.cancel(task_ref, force=True)

    def _got(self, done: Any) -> Any:
        try:
            return self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, BadInput):
                raise BadInput(str(cause)) from None
            if isinstance(cause, ImportError | AttributeError) or "ModuleNotFoundError" in str(error):
                raise BadInput(
                    f"--ray {self.address}: a node cannot run this ({first_line(cause or error)}); install the same"
                    " version of spectaclear on every node"
                ) from None
            raise

    def _packed(self, recogniser: Recogniser) -> Luggage:
        return packed(recogniser, self.engine, self.threads)


@contextlib.contextmanager
def fanned_out(address: str | None, engine: str, threads: int, device: torch.device) -> Iterator[Fan | None]:
    """What ``--ray`` asks for: workers, or None without it.

    Raises:
        BadInput: see ``Fan``; or the work is a GPU's, which one process fills.
    """
    if address is None:
        yield None
        return
    if device.type != "cpu":
        raise BadInput("--ray: spreads over processors' cores; give --device cpu with it, or leave it out on a GPU")
    with Fan(address, engine=engine, threads=threads) as fan:
        yield fan


def _begun(ray: Any, options: Mapping[str, object], attempts: int) -> None:
    """Raises what Ray raises at the last attempt."""
    for attempt in range(attempts):
        try:
            ray.init(**options)
            return
        except Exception:
            ray.shutdown()
            if attempt + 1 == attempts:
                raise


def checked_address(address: str | None) -> str | None:
    """What ``--ray`` was given, before anything is loaded.

    Raises:
        BadInput: Ray is not installed, or this is no address (a folder, say, that stood behind ``--ray``).
    """
    if address is None:
        return None
    given = _ADDRESS.fullmatch(address)
    if address not in (HERE, "auto") and given is None:
        raise BadInput(
            f"--ray {address}: is no address; give --ray alone (last, or before another option), auto, or HOST:PORT"
        )
    _ray()
    if given is not None:  # Ray itself would try for minutes
        try:
            socket.create_connection((given["host"].strip("[]"), int(given["port"])), timeout=_ANSWERS).close()
        except (OSError, OverflowError) as error:
            raise BadInput(
                f"--ray {address}: nothing answers there ({first_line(error)}); give --ray alone for this machine, auto"
                " for a cluster that it is part of, or its HOST:PORT"
            ) from None
    return address


def _ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise BadInput(f"--ray: Ray is not installed; leave --ray out, or install it: {INSTALL}")
    import ray

    return ray


def _worked(everywhere: list[Any], work: Callable[[Any, Any], Any], item: Any, threads: int) -> Any:
    """One task, in a worker: with as many threads as the command has, for sums depend on their order."""
    torch.set_num_threads(threads)
    return work(_unpacked(everywhere[0]), item)


@lru_cache(maxsize=2)
def _unpacked(everywhere: Any) -> Any:
    import ray

    return ray.get(everywhere)

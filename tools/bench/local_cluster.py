"""A cluster of several nodes on this machine, whose parts can be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

from models.errors import BadInput
from realtime.cameras.states import CameraState
from realtime.cluster.commands import own_processes, start_ray, stop_ray
from realtime.cluster.ray_here import HEAD, make_token, ray_module
from realtime.cluster.settings import ClusterConfig, load_cluster
from realtime.outputs.events.store import EventStore

KINDS = ("worker", "replica", "node", "head")
LIMITS = {"worker": 10.0, "replica": 10.0, "node": 10.0, "head": 30.0}
"""Seconds until every camera has to be live again, by what was killed."""


class LocalCluster:
    """Between enter and exit a head and ``nodes``, all on loopback, with cameras by name and source.

    Args:
        folder: for everything that it writes.
        settings: further sections of the configuration, and of ``cluster``.
    """

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, str],
        settings: Mapping[str, Any],
        *,
        nodes: Sequence[str] = ("a", "b"),
        cores: int = 1,
        redis: bool = True,
    ) -> None:
        self.folder, self.nodes, self._cores = folder, list(nodes), cores
        self._redis = shutil.which("redis-server") if redis else None
        self._port, self._redis_port = free_port(), free_port()
        own = {"port": self._port, "evidence": str(folder / "evidence"), "token": str(folder / "token")}
        if self._redis is not None:
            own["redis"] = f"127.0.0.1:{self._redis_port}"
        wanted = {
            "cameras": [{"name": name, "source": source} for name, source in cameras.items()],
            "events": {"folder": str(folder / "all")},
            **{key: value for key, value in settings.items() if key != "cluster"},
            "cluster": {**own, **settings.get("cluster", {})},
        }
        file = folder / "cluster.yaml"
        file.write_text(yaml.safe_dump(wanted))
        self.config: ClusterConfig = load_cluster(file)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> LocalCluster:
        section = self.config.cluster
        with contextlib.ExitStack() as stack:
            ray_module(section)
            make_token(section, head=True)
            if self._redis is not None:
                stack.callback(self._end, self._start_redis(self._redis))
            stack.callback(stop_ray, section, None)
            for node in (HEAD, *self.nodes):
                start_ray(section, node, self._cores)
            from realtime.cluster import deploy

            ray = deploy.connect(section, self.nodes[0])
            stack.callback(ray.shutdown)
            deploy.deploy(self.config)
            stack.callback(deploy.take_down)
            self.until(self.all_live, 300.0, "not every camera came to life")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def overview(self) -> Any:
        """``reports.Overview``."""
        from realtime.cluster import deploy

        return deploy.overview()

    def processes(self) -> dict[str, int]:
        """The process that each camera runs in, where it is live."""
        reports = self.overview().reports
        live = CameraState.LIVE
        return {one.name: report.process for report in reports for one in report.cameras if one.state is live}

    def all_live(self) -> bool:
        """Whether every camera is."""
        try:
            return len(self.processes()) == len(self.config.cameras)
        except Exception:  # the head is away
            return False

    def kill(self, kind: str) -> Callable[[], bool]:
        """``kill -9``; gives what says whether everything that was hit is live again, elsewhere."""
        before = self.processes()
        hit = self._victims(kind, before)
        for number in hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        if kind in ("head", "node"):
            psutil.wait_procs([psutil.Process(one) for one in hit if psutil.pid_exists(one)], timeout=3.0)
        if kind == "head":
            start_ray(self.config.cluster, HEAD, self._cores)
        names = set(before)

        def again() -> bool:
            try:
                now = self.processes()
                answers = kind not in ("replica", "head") or self._replica() is not None
            except Exception:  # the head or the keeper is away
                return False
            return set(now) == names and not set(now.values()) & set(hit) and answers

        return again

    def restore(self) -> None:
        """Start the nodes that were killed."""
        for node in self.nodes:
            if not own_processes(self.config.cluster, node):
                start_ray(self.config.cluster, node, self._cores)
        self.until(lambda: len(self.overview().nodes) == 1 + len(self.nodes), 60.0, "a node did not come back")

    def _victims(self, kind: str, before: Mapping[str, int]) -> list[int]:
        if kind == "worker":
            return [sorted(set(before.values()))[0]]
        if kind == "replica":
            number = self._replica()
            return [] if number is None else [number]
        node = HEAD if kind == "head" else self.nodes[-1]
        whole: set[int] = set()
        for process in own_processes(self.config.cluster, node):
            whole |= {process.pid, *(child.pid for child in process.children(recursive=True))}
        return sorted(whole - {os.getpid()})

    def _replica(self) -> int | None:
        from ray import serve

        from realtime.cluster.remote import APPLICATION, DEPLOYMENT

        handle = serve.get_deployment_handle(DEPLOYMENT, APPLICATION)
        with contextlib.suppress(Exception):
            return int(handle.counts.remote().result(timeout_s=2.0)["process"])
        return None

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait; gives how long it took. Raises ``BadInput`` where the time is over."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > seconds:
                raise BadInput(f"{what} in {seconds:g} s")
            time.sleep(0.1)
        return time.monotonic() - began

    def stored_on_nodes(self) -> list[str]:
        """The keys of the events in the logs of all nodes, those that are away too."""
        keys = []
        for log in (self.folder / "evidence").glob("*/*"):
            store = EventStore(log, owner=False, write=False)
            keys += [str(key) for (key,) in store.rows("SELECT key FROM events")]
            store.close()
        return sorted(keys)

    def collected(self) -> list[str]:
        """The keys of the events in the one store."""
        store = EventStore(self.folder / "all", owner=False, write=False)
        keys = sorted(str(key) for (key,) in store.rows("SELECT key FROM events"))
        store.close()
        return keys

    def _start_redis(self, program: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [program, "--port", str(self._redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )
        return process

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(5.0)


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

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
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import yaml

from models.errors import BadInput
from realtime.cameras.demo_scene import ACTS, FPS, DemoScene
from realtime.cameras.states import CameraState
from realtime.cluster.commands import own_processes, start_ray, still_running, stop_ray
from realtime.cluster.ray_here import HEAD, listens, make_token, ray_module
from realtime.cluster.settings import ClusterConfig, load_cluster
from realtime.outputs.events.store import EventStore
from tools.bench.node_figures import Figures
from tools.fault_drill.pictures import repeated, write_video

SCENE_FPS = 5
DETECT_EVERY = SCENE_FPS  # frames between two searches for faces: once a second
KINDS = ("worker", "replica", "node", "head")
LIMITS = {"worker": 10.0, "replica": 10.0, "node": 10.0, "head": 30.0}
"""Seconds until every camera has to be live again, by what was killed."""


class LocalCluster:
    """Between enter and exit a head and ``nodes``, all on loopback, with cameras by name and source.

    Args:
        folder: for everything that it writes.
        settings: further sections of the configuration, and of ``cluster``.
        cores: that each node gives.
    """

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, str],
        settings: Mapping[str, Any],
        *,
        nodes: Sequence[str] = ("a", "b"),
        cores: int = 1,
    ) -> None:
        self.folder, self.nodes, self._cores = folder, list(nodes), cores
        self._redis = shutil.which("redis-server")
        self._port, self._redis_port = free_port(), free_port()
        own: dict[str, str | int] = {
            "port": self._port,
            "metrics_port": 0,
            "evidence": str(folder / "evidence"),
            "token": str(folder / "token"),
        }
        if self._redis is not None:
            own["redis"] = f"127.0.0.1:{self._redis_port}"
        wanted = {
            "cameras": [
                {"name": name, "source": source, "detect_every": DETECT_EVERY} for name, source in cameras.items()
            ],
            "events": {"folder": str(folder / "all")},
            **{key: value for key, value in settings.items() if key != "cluster"},
            "cluster": {**own, **settings.get("cluster", {})},
        }
        file = folder / "cluster.yaml"
        file.write_text(yaml.safe_dump(wanted))
        self.config: ClusterConfig = load_cluster(file)
        self._stack = contextlib.ExitStack()
        self._pool = ThreadPoolExecutor(1 + len(self.nodes))
        self._starting: Future[None] | None = None

    def __enter__(self) -> LocalCluster:
        section = self.config.cluster
        with contextlib.ExitStack() as stack:
            ray_module(section)
            make_token(section, head=True)
            if self._redis is not None:
                stack.callback(self._end, self._start_redis(self._redis))
            stack.callback(stop_ray, section, None)
            self._start_all()
            from realtime.cluster import deploy

            ray = deploy.connect(section, self.nodes[0])
            stack.callback(ray.shutdown)
            deploy.deploy(self.config)
            stack.callback(self._take_down)
            self.until(self.all_live, 300.0, "not every camera came to life")
            self.until(self._whole, 120.0, "not every node had a process to spare")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _take_down(self) -> None:
        from realtime.cluster import deploy

        if own_processes(self.config.cluster, HEAD):  # without a head it would be waited for without end
            deploy.take_down()

    def overview(self) -> Any:
        """``reports.Overview``."""
        from realtime.cluster import deploy

        return deploy.overview()

    def processes(self) -> dict[str, int]:
        """The process that each camera runs in, where it is live."""
        reports = self.overview().reports
        live = CameraState.LIVE
        return {one.name: report.process for report in reports for one in report.cameras if one.state is live}

    def cameras_on(self, node: str) -> list[str]:
        """The cameras that run there."""
        return [one.name for report in self.overview().reports if report.node == node for one in report.cameras]

    def decided(self) -> dict[int, int]:
        """Decisions so far, by the process of their group."""
        return {one.process: one.counts["decisions"] for one in self.overview().reports if one.counts is not None}

    def all_live(self) -> bool:
        """Whether every camera is."""
        try:
            return len(self.processes()) == len(self.config.cameras)
        except Exception:  # the head is away
            return False

    def kill(self, kind: str) -> Callable[[], bool]:
        """``kill -9``; gives what says whether each camera was live and faces were decided without what was killed.

        A head is started again, as a service would. Its nodes are asked for their own figures, which need no head.
        """
        before, ports = self.processes(), self.overview().metrics
        hit = self._victims(kind, before)
        for number in hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        if kind in ("head", "node"):
            still_running([psutil.Process(one) for one in hit if psutil.pid_exists(one)], 3.0)
        figures = Figures([])
        if kind == "head":
            self._starting = self._pool.submit(start_ray, self.config.cluster, HEAD, self._cores)
            figures = Figures([ports[node] for node in self.nodes])

        seen: set[str] = set()  # on a busy machine one or the other is stale for a moment

        def again() -> bool:
            seen.update(figures.live())
            if self._starting is None or self._starting.done():  # Ray's calls wait for the head
                with contextlib.suppress(Exception):  # the keeper is away
                    seen.update(name for name, process in self.processes().items() if process not in hit)
            if not seen >= set(before):
                return False
            return figures.decided_on() if kind == "head" else kind != "replica" or self.replica() is not None

        return again

    def head_answers(self) -> bool:
        """Whether page and commands show all cameras: after a head was killed that takes until it runs again."""
        if self._starting is not None and not self._starting.done():
            return False
        return self.all_live()

    def restore(self) -> None:
        """Start the nodes that were killed, and wait until every node could take a group over."""
        self._start([node for node in self.nodes if not own_processes(self.config.cluster, node)])
        self.until(self._whole, 120.0, "a node did not come back")

    def _start_all(self) -> None:
        """The nodes begin as soon as the head listens: each is busy by itself for seconds."""
        head = self._pool.submit(start_ray, self.config.cluster, HEAD, self._cores)
        self.until(lambda: head.done() or listens("127.0.0.1", self._port), 60.0, "the head did not listen")
        self._start(self.nodes)
        head.result()

    def _start(self, nodes: Sequence[str]) -> None:
        list(self._pool.map(lambda node: start_ray(self.config.cluster, node, self._cores), nodes))

    def _whole(self) -> bool:
        try:
            found, recognisers = self.overview(), self._recognisers()
        except Exception:  # the head is away
            return False
        if recognisers < self.config.cluster.replicas:
            return False
        return set(found.spares) == set(self.nodes) and set(found.nodes) == {HEAD, *self.nodes}

    def _victims(self, kind: str, before: Mapping[str, int]) -> list[int]:
        if kind == "worker":  # on the node that is killed, where there is one: the other keeps its spare
            there = self.cameras_on(self.nodes[-1])
            return [before[there[0]] if there else min(before.values())]
        if kind == "replica":
            number = self.replica()
            return [] if number is None else [number]
        node = HEAD if kind == "head" else self.nodes[-1]  # not the first: this process would end with it
        whole: set[int] = set()
        for process in own_processes(self.config.cluster, node):
            whole |= {process.pid, *(child.pid for child in process.children(recursive=True))}
        return sorted(whole - {os.getpid()})

    @staticmethod
    def _recognisers() -> int:
        """How many answer."""
        from ray import serve

        from realtime.cluster.remote import APPLICATION, DEPLOYMENT

        states = serve.status().applications[APPLICATION].deployments[DEPLOYMENT].replica_states
        return int(states.get("RUNNING", 0))

    def replica(self) -> int | None:
        """The process of one of the recognisers; None where none answers."""
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
            time.sleep(0.2)
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
        return subprocess.Popen(
            [program, "--port", str(self._redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(5.0)


def scene_seconds() -> float:
    """How long the scene is. What a second of it costs differs, so rates are compared over whole ones."""
    return float(len(ACTS) * DemoScene().act_seconds)


def scene_file(path: Path, seconds: float) -> str:
    """The demo's scene as a video of few frames a second: many of them may run on few cores.

    What a face costs is the same; what a camera's pictures cost (decoding, drawing, encoding) is not measured with it.
    """
    scene = DemoScene()
    frames = [scene.frame(round(n * FPS / SCENE_FPS)) for n in range(round(scene_seconds() * SCENE_FPS))]
    once = write_video(path.with_stem(f"{path.stem}-once"), frames, fps=SCENE_FPS)
    return str(repeated(once, path, seconds))


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

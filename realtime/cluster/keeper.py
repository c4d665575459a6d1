"""The keeper of a cluster: starts what every node has, gives groups of cameras to processes, and moves them.

It keeps nothing that it could not find again: after its own death it asks the processes that live what they do.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from models.errors import BadInput
from models.files import whole_file
from models.graphs.cache import cache_folder
from realtime.cluster import actors
from realtime.cluster.group import Order
from realtime.cluster.parcels import Parcel, Shelf, parcel_of
from realtime.cluster.placing import GroupPlan, NodePlan, groups_of, hosts_of, place, waits_for
from realtime.cluster.ray_here import HEAD
from realtime.cluster.recognising import PEOPLE
from realtime.cluster.remote import Known
from realtime.cluster.reports import Overview, Seen
from realtime.cluster.serving import serve_recognisers
from realtime.cluster.settings import ClusterConfig, config_of_group
from realtime.people.place import gallery_file

_log = logging.getLogger(__name__)
_LOOK_EVERY = 0.5  # seconds; the death of a process is noticed at once
_PEOPLE_EVERY = 2.0
_SHORT = 5.0  # seconds that a process has for an answer
_BEGINNING = 120.0  # seconds that a process has to import everything


@dataclass
class _Process:
    """A process for a group, and the call that ends with it."""

    actor: Any
    node: str
    stay: Any
    ready: Any  # None once it is
    plan: GroupPlan | None = None
    since: float = field(default_factory=time.monotonic)


class Keeper:
    """See above. ``bundle``: the folder on this node that is sent to others."""

    def __init__(self, config: ClusterConfig, bundle: str) -> None:
        self._config = config
        self._plans = groups_of(config.cameras, config.cluster.pinned, config.cluster.cameras_per_group)
        self._shelf = Shelf()
        self._shelf.show(Path(bundle), parcel_of(Path(bundle)))
        self._known: Known | None = None
        self._nodes: dict[str, tuple[str, float]] = {}  # name: Ray's id, cores
        self._processes: list[_Process] = []
        self._stewards: dict[str, tuple[str, Any]] = {}  # by node: Ray's id of it, the handle
        self._refused: dict[int, str] = {}
        self._metrics: dict[str, int] = {}
        self._moves = 0
        self._began: set[int] = set()
        self._stopping = threading.Event()
        self._people = gallery_file(config.recognition)
        self._shown = self._show_people()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def people(self) -> str | None:
        """The checksum of the people's file, which is given out; None: the bundle's own people."""
        return self._shown

    def part(self, checksum: str, offset: int) -> bytes:
        """See ``parcels.GivePart``."""
        return self._shelf.part(checksum, offset)

    def stewards(self) -> dict[str, Any]:
        """The handle of every node's."""
        return {name: actor for name, (_, actor) in self._stewards.items()}

    def groups(self) -> list[tuple[tuple[str, ...], Any]]:
        """The cameras of every group that runs, and its handle."""
        return [(one.plan.cameras, one.actor) for one in list(self._processes) if one.plan is not None]

    def overview(self) -> Overview:
        """How all is."""
        refs = [one.actor.report.remote() for one in list(self._processes) if one.plan is not None]
        done, _ = ray.wait(refs, num_returns=len(refs), timeout=_SHORT) if refs else ([], [])
        reports = [report for ref in done if (report := _answer(ref)) is not None]
        nodes = [NodePlan(name, cores) for name, (_, cores) in self._nodes.items()]
        running = {one.plan.number for one in self._processes if one.plan is not None}
        waiting = [self._refused.get(p.number) or waits_for(p, nodes) for p in self._plans if p.number not in running]
        cores = {name: cores for name, (_, cores) in self._nodes.items()}
        spares = sorted({one.node for one in list(self._processes) if one.plan is None and _is_ready(one)})
        return Overview(cores, reports, waiting, self._moves, dict(self._metrics), spares)

    def stop(self) -> None:
        """End every group in good order."""
        self._stopping.set()
        self._thread.join(_SHORT)
        ray.wait([one.actor.leave.remote() for one in self._processes], num_returns=len(self._processes), timeout=10.0)

    def _keep(self) -> None:
        adopted, next_look = False, 0.0
        while not self._stopping.is_set():
            try:
                adopted = adopted or self._adopt()
                if time.monotonic() > next_look:
                    next_look = time.monotonic() + _PEOPLE_EVERY
                    self._follow_people()
                self._look_at_nodes()
                self._bury()
                self._spares()
                self._give_out()
                self._relieve_head()
            except Exception as error:  # the head or the recognisers are away: all goes on as it is
                _log.warning("the keeper tries again: %s", (str(error) or type(error).__name__).splitlines()[0])
                time.sleep(1.0)
            self._wait_for_a_death()

    def _show_people(self) -> str | None:
        """Give the people's file out as it is now; gives its checksum."""
        if self._people is None or not self._people.exists():
            return None
        content = self._people.read_bytes()
        checksum = hashlib.sha256(content).hexdigest()
        file = cache_folder() / "people" / checksum / PEOPLE
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as stream:
            stream.write(content)
        self._shelf.show(file.parent, Parcel("people", {PEOPLE: checksum}))
        return checksum

    def _follow_people(self) -> None:
        """Other people from now on, in all recognisers, where the file is another."""
        before, self._shown = self._shown, self._show_people()
        if self._shown != before:
            serve_recognisers(self._config, self._shown)

    def _adopt(self) -> bool:
        """The processes that a keeper before this one has started."""
        for name, actor in actors.found(actors.GROUP):
            report = _answer(actor.report.remote(), _SHORT)
            if report is None:
                continue
            self._known = self._known or _answer(actor.known.remote(), _SHORT)
            plan = next((plan for plan in self._plans if plan.number == report.number), None)
            _log.info("%s of node %s goes on", name, report.node)
            self._processes.append(_Process(actor, report.node, actor.stay.remote(), None, plan))
        self._began = {one.plan.number for one in self._processes if one.plan is not None}
        return True

    def _look_at_nodes(self) -> None:
        self._nodes = actors.living_nodes()
        for name in [name for name in self._stewards if name not in self._nodes]:
            del self._stewards[name]
        evidence = self._config.cluster.evidence
        for name, (number, _) in self._nodes.items():
            if name not in self._stewards or self._stewards[name][0] != number:
                folder = None if evidence is None else str(Path(evidence, name))
                self._stewards[name] = (number, actors.steward(name, number, folder))
                port = self._config.cluster.metrics_port
                if port is not None:
                    self._metrics[name] = _answer(self._stewards[name][1].serve_metrics.remote(port), _SHORT) or 0

    def _bury(self) -> None:
        """Take note of the processes that have gone."""
        if not self._processes:
            return
        gone, _ = ray.wait([one.stay for one in self._processes], num_returns=len(self._processes), timeout=0)
        for one in [one for one in self._processes if one.stay in gone or one.node not in self._nodes]:
            self._processes.remove(one)
            if one.plan is not None:
                _log.warning("the process of %s on node %s has gone", ", ".join(one.plan.cameras), one.node)
            actors.end(one.actor)

    def _spares(self) -> None:
        """One process with nothing to do on every node that gets groups, and as many more as groups wait for."""
        for name in hosts_of(self._nodes, self._plans):
            number, _ = self._nodes[name]
            if not any(one.plan is None and one.node == name for one in self._processes):
                actor = actors.group(name, number, self._config.detection)
                self._processes.append(_Process(actor, name, actor.stay.remote(), actor.ready.remote()))

    def _give_out(self) -> None:
        running = {one.plan.number for one in self._processes if one.plan is not None}
        waiting = [plan for plan in self._plans if plan.number not in running]
        if not waiting:
            return
        self._known = self._known or actors.known()
        for plan in waiting:
            spares = [one for one in self._processes if one.plan is None and _is_ready(one)]
            at = place(plan, [node for node in self._loads() if node.name in {one.node for one in spares}])
            if at is None:
                continue
            process = next(one for one in spares if one.node == at.name)
            self._give(plan, process, self._known)

    def _relieve_head(self) -> None:
        """A group moves from the head as soon as another node can take it over: a head may be away for a while."""
        if HEAD in hosts_of(self._nodes, self._plans):
            return
        able = any(one.plan is None and one.node != HEAD and _is_ready(one) for one in self._processes)
        there = next((one for one in self._processes if one.plan is not None and one.node == HEAD), None)
        if able and there is not None:
            _answer(there.actor.leave.remote(), _SHORT)
            self._processes.remove(there)
            actors.end(there.actor)

    def _give(self, plan: GroupPlan, process: _Process, known: Known) -> None:
        evidence, section = self._config.cluster.evidence, self._config.cluster
        folder = None if evidence is None else Path(evidence, process.node, f"group-{plan.number}")
        config = config_of_group(self._config, list(plan.cameras), folder)
        seen: Sequence[Seen] = actors.seen_by(plan.cameras) if plan.number in self._began else ()
        _, cores = self._nodes.get(process.node, ("", 1.0))
        order = Order(plan.number, config, cores, known, section.asked_at_once, seen)
        try:
            ray.get(process.actor.take.remote(order), timeout=_BEGINNING)
        except (RayError, GetTimeoutError) as error:
            cause = getattr(error, "cause", None)
            line = str(cause) if isinstance(cause, BadInput) else str(error).splitlines()[0]
            _log.error("%s cannot run on node %s: %s", ", ".join(plan.cameras), process.node, line)
            self._refused[plan.number] = f"{', '.join(plan.cameras)}: {line}"
            self._processes.remove(process)
            actors.end(process.actor)
            return
        self._refused.pop(plan.number, None)
        process.plan = plan
        if plan.number in self._began:
            self._moves += 1
            _log.warning("%s: on node %s from now on", ", ".join(plan.cameras), process.node)
        self._began.add(plan.number)
        for name, (_, steward) in self._stewards.items():
            mine = [one.actor for one in self._processes if one.plan is not None and one.node == name]
            steward.follow.remote(mine)

    def _loads(self) -> list[NodePlan]:
        nodes = {name: NodePlan(name, cores) for name, (_, cores) in self._nodes.items()}
        for one in self._processes:
            if one.plan is not None and one.node in nodes:
                nodes[one.node].groups.append(one.plan)
        return list(nodes.values())

    def _wait_for_a_death(self) -> None:
        waiting = [one.stay for one in self._processes]
        if waiting:
            ray.wait(waiting, timeout=_LOOK_EVERY)
        time.sleep(0.02)


def _is_ready(process: _Process) -> bool:
    if process.ready is not None:
        done, _ = ray.wait([process.ready], timeout=0)
        if not done or _answer(process.ready) is None:
            return False
        process.ready = None
    return True


def _answer(ref: Any, patience: float = 0.5) -> Any:
    """What came of a call; None where nothing did."""
    try:
        return ray.get(ref, timeout=patience)
    except (RayError, GetTimeoutError):
        return None

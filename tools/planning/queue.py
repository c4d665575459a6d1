"""Nodes as queues, simulated with SimPy: faces come and go, each wants decisions, a rush comes, a node is lost.

A node decides one face after another, the most overdue first, as ``realtime.schedule`` does. A face has one request
at a time and is decided on as it looks then, so nothing piles up: too much to do makes decisions rarer, not older.
A verdict is there once a face has had as many decisions as have to agree. What a lost node knew of its faces is gone;
its cameras go on elsewhere after a while.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

_SOONEST = 1e-9
_LOOK_AGAIN = 0.1  # seconds until a face whose camera nobody looks after is seen again


@dataclass(frozen=True)
class Habits:
    """What a face asks for: ``verdict`` decisions, the next one ``soon`` seconds after another, and from then on one
    within ``within`` seconds each (inf: none)."""

    verdict: int = 5
    soon: float = 0.15
    within: float = 0.5


@dataclass(frozen=True)
class Crowd:
    """Who comes: ``rate(t)`` faces a second before one camera, each for ``stay`` seconds on average (exponential)."""

    rate: Callable[[float], float]
    most: float
    stay: float


@dataclass(frozen=True)
class Loss:
    """Node 0 is lost ``at`` that second; its cameras are live elsewhere ``after`` so many more."""

    at: float
    after: float = 10.0


@dataclass
class Seen:
    """What happened, by the second in which it did: (when, seconds)."""

    verdicts: list[tuple[float, float]] = field(default_factory=list)  # from a face's first frame to its verdict
    waits: list[tuple[float, float]] = field(default_factory=list)  # of a request for its turn
    gaps: list[tuple[float, float]] = field(default_factory=list)  # between two decisions of a face
    gone: list[tuple[float, float]] = field(default_factory=list)  # faces that left without a verdict
    busy: list[tuple[float, float]] = field(default_factory=list)  # seconds that a node worked on a decision

    def between(self, what: str, begin: float, end: float) -> npt.NDArray[np.float64]:
        """The values of what happened from ``begin`` on, before ``end``."""
        return np.array([value for at, value in getattr(self, what) if begin <= at < end], np.float64)


class Node:
    """One machine: ``seconds(cameras)`` are those of a decision while it has so many cameras to look after."""

    def __init__(self, env: simpy.Environment, cameras: float, seconds: Callable[[float], float]) -> None:
        self.cameras, self.alive = cameras, True
        self.turn = simpy.PriorityResource(env, capacity=1)
        self._seconds = seconds

    @property
    def seconds(self) -> float:
        return self._seconds(self.cameras)


class Site:
    """``nodes`` alike, each with ``cameras``; run it once."""

    def __init__(
        self,
        *,
        nodes: int,
        cameras: float,
        crowd: Crowd,
        seconds: Callable[[float], float],
        habits: Habits | None = None,
        loss: Loss | None = None,
        seed: int = 0,
    ) -> None:
        self._env = simpy.Environment()
        self._random = np.random.default_rng(seed)
        self._crowd, self._habits, self._loss = crowd, habits or Habits(), loss
        self.nodes = [Node(self._env, cameras, seconds) for _ in range(nodes)]
        self.seen = Seen()

    def run(self, seconds: float) -> Seen:
        for number in range(len(self.nodes)):
            self._env.process(self._arrivals(number))
        if self._loss is not None:
            self._env.process(self._lose(self._loss))
        self._env.run(until=seconds)
        return self.seen

    def _arrivals(self, number: int) -> Generator[Any, Any, None]:
        """Faces before the cameras that node ``number`` began with (a Poisson stream, thinned to its rate)."""
        cameras = self.nodes[number].cameras
        while True:
            yield self._env.timeout(self._random.exponential(1 / max(_SOONEST, cameras * self._crowd.most)))
            if self._random.random() * self._crowd.most < self._crowd.rate(self._env.now):
                self._env.process(self._face(self._where(number)))

    def _where(self, number: int) -> Node | None:
        """Who looks after the cameras of node ``number`` now; None: nobody yet."""
        if self.nodes[number].alive:
            return self.nodes[number]
        if self._loss is None or self._env.now < self._loss.at + self._loss.after or len(self.nodes) == 1:
            return None
        return self.nodes[1 + int(self._random.integers(len(self.nodes) - 1))]

    def _face(self, node: Node | None) -> Generator[Any, Any, None]:
        env, habits = self._env, self._habits
        came, leaves = env.now, env.now + self._random.exponential(self._crowd.stay)
        decided, due = 0, env.now
        last: float | None = None
        while env.now < leaves:
            if node is not None and not node.alive:
                node, decided, last = None, 0, None  # what was known of it is lost with the node
            node = node or self._where(0)
            if node is None:
                yield env.timeout(_LOOK_AGAIN)
                continue
            asked = env.now
            with node.turn.request(priority=due) as turn:  # type: ignore[arg-type]  # it is only compared
                yield turn
                if env.now >= leaves or not node.alive:
                    continue  # it left while it waited, or waited in vain
                took = node.seconds
                self.seen.waits.append((env.now, env.now - asked))
                yield env.timeout(took)
                self.seen.busy.append((env.now, took))
            decided += 1
            if last is not None:
                self.seen.gaps.append((env.now, env.now - last))
            last = env.now
            if decided == habits.verdict:
                self.seen.verdicts.append((env.now, env.now - came))
            rest = habits.soon if decided < habits.verdict else habits.within
            if rest == np.inf:
                return
            due = last - took + rest
            if due > env.now:
                yield env.timeout(min(due, leaves) - env.now if leaves > env.now else 0)
        if decided < habits.verdict:
            self.seen.gone.append((env.now, env.now - came))

    def _lose(self, loss: Loss) -> Generator[Any, Any, None]:
        yield self._env.timeout(loss.at)
        lost, others = self.nodes[0], self.nodes[1:]
        lost.alive = False
        yield self._env.timeout(loss.after)
        for node in others:
            node.cameras += lost.cameras / len(others)

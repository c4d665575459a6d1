"""Requests of many, taken together; the oldest is dropped where too much waits."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from models.evidence import Evidence
from realtime.cluster.batching import Batches
from realtime.recogniser import Unanswered


def crops(value: int, count: int = 1) -> np.ndarray:
    return np.full((count, 4, 4, 3), value, np.uint8)


def evidence_of(asked: np.ndarray) -> Evidence:
    """The raw probability says which crop it is about."""
    raw = asked[:, 0, 0, :1].astype(np.float32)
    nothing = np.zeros(asked.shape[:3], np.float32)
    return Evidence(("one",), raw, nothing, nothing > 0, asked, raw, np.zeros((len(asked), 0, 1), np.float32))


class Worker:
    """Works as soon as it is let, and remembers how many crops each pass had."""

    def __init__(self) -> None:
        self.passes: list[int] = []
        self.expected: list[str] = []
        self.may, self.begun = threading.Event(), threading.Event()

    def __call__(self, asked: np.ndarray, looked: np.ndarray | None, explaining: str) -> Evidence:
        self.begun.set()
        self.may.wait(10)
        self.expected.append(explaining)
        self.passes.append(len(asked))
        return evidence_of(asked)


async def asked_together(batches: Batches, worker: Worker, numbers: range) -> list[object]:
    """The first is being worked on when the others come."""
    asking = [asyncio.ensure_future(batches.ask(crops(numbers[0]), None))]
    while not worker.begun.is_set():
        await asyncio.sleep(0.005)
    asking += [asyncio.ensure_future(batches.ask(crops(number), None)) for number in numbers[1:]]
    await asyncio.sleep(0)
    worker.may.set()
    return await asyncio.gather(*asking, return_exceptions=True)


def test_requests_that_came_meanwhile_are_one_pass_and_each_gets_its_own_answer() -> None:
    worker = Worker()
    answers = asyncio.run(asked_together(Batches(worker, batch=4, waiting=100), worker, range(6)))
    assert worker.passes == [1, 4, 1]  # the first had begun
    told = [float(evidence.raw[first, 0]) for evidence, first in answers]  # type: ignore[misc]
    assert told == [0, 1, 2, 3, 4, 5]


def test_a_pass_explains_what_all_who_asked_want_explained_and_alarms_where_they_differ() -> None:
    worker = Worker()

    async def asked(batches: Batches) -> None:
        asking = [asyncio.ensure_future(batches.ask(crops(0), None, "all"))]
        while not worker.begun.is_set():
            await asyncio.sleep(0.005)
        asking += [asyncio.ensure_future(batches.ask(crops(1), None, one)) for one in ("none", "none", "all", "alarms")]
        await asyncio.sleep(0)
        worker.may.set()
        await asyncio.gather(*asking)

    asyncio.run(asked(Batches(worker, batch=2, waiting=100)))
    assert worker.passes == [1, 2, 2]
    assert worker.expected == ["all", "none", "alarms"]


def test_where_too_much_waits_the_oldest_is_dropped_and_counted() -> None:
    worker = Worker()
    batches = Batches(worker, batch=1, waiting=3)
    answers = asyncio.run(asked_together(batches, worker, range(8)))
    dropped = [number for number, answer in enumerate(answers) if isinstance(answer, Unanswered)]
    assert dropped == [1, 2, 3, 4]  # 0 was being worked on, 5 to 7 are the newest
    assert batches.dropped == 4


def test_what_the_work_fails_with_is_told_to_who_asked_and_the_next_is_answered() -> None:
    failures = [ValueError("broken")]

    def work(asked: np.ndarray, looked: np.ndarray | None, explaining: str) -> Evidence:
        if failures:
            raise failures.pop()
        return evidence_of(asked)

    async def both() -> float:
        batches = Batches(work, batch=1, waiting=10)
        with pytest.raises(ValueError, match="broken"):
            await batches.ask(crops(1), None)
        evidence, first = await batches.ask(crops(2), None)
        return float(evidence.raw[first, 0])

    assert asyncio.run(both()) == 2


def test_a_request_that_nobody_waits_for_any_more_is_not_worked_on() -> None:
    worker = Worker()

    async def asked() -> None:
        batches = Batches(worker, batch=1, waiting=100)
        first, given_up, last = (asyncio.ensure_future(batches.ask(crops(number), None)) for number in range(3))
        while not worker.begun.is_set():
            await asyncio.sleep(0.005)
        given_up.cancel()
        await asyncio.sleep(0)
        worker.may.set()
        await asyncio.gather(first, last)

    asyncio.run(asked())
    assert worker.passes == [1, 1]

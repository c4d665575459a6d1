"""Passes of a recogniser that many ask: what waits is taken together, and where too much waits the oldest is dropped.

Serve's own batches (``serve.batch``) turn the newest away where their queue is full. For a camera the newest crop is
the one that matters: a face that waited too long has been seen again since.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import Bools, Bytes
from models.evidence import Evidence, Explaining
from realtime.recogniser import Unanswered

OVERTAKEN = "overtaken by newer crops"

#: (crops (N, S, S, 3), views looked at (N, V) or None, whose saliency is looked at) -> what was found out
Work = Callable[[Bytes, Bools | None, Explaining], Evidence]


@dataclass(eq=False)
class _Request:
    crops: Bytes
    looked: Bools | None
    explaining: Explaining
    answer: asyncio.Future[tuple[Evidence, int]]

    def __len__(self) -> int:
        return len(self.crops)


class Batches:
    """Asks ``work`` in a thread, for at most ``batch`` crops at a time, while further requests gather.

    For one event loop. ``dropped`` counts crops that were overtaken.
    """

    def __init__(self, work: Work, *, batch: int, waiting: int) -> None:
        self._work, self._batch, self._most = work, batch, waiting
        self._waiting: deque[_Request] = deque()
        self._working: asyncio.Task[None] | None = None
        self.dropped = 0
        self.passes: deque[int] = deque(maxlen=1000)  # crops in each of the last

    async def ask(self, crops: Bytes, looked: Bools | None, explaining: Explaining = "alarms") -> tuple[Evidence, int]:
        """What was found out about the crops: the evidence of the pass they were in, and where in it they begin.

        Raises:
            Unanswered: newer crops came before there was time for these.
        """
        request = _Request(crops, looked, explaining, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        while len(self._waiting) > 1 and sum(map(len, self._waiting)) > self._most:
            oldest = self._waiting.popleft()
            self.dropped += len(oldest)
            oldest.answer.set_exception(Unanswered(OVERTAKEN))
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work_off())
        try:
            return await request.answer
        except asyncio.CancelledError:  # who asked has gone
            with contextlib.suppress(ValueError):  # it is in a pass already
                self._waiting.remove(request)
            raise

    async def _work_off(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft()]
            while self._waiting and sum(map(len, taken)) + len(self._waiting[0]) <= self._batch:
                if (self._waiting[0].looked is None) != (taken[0].looked is None):
                    break
                taken.append(self._waiting.popleft())
            crops = np.concatenate([one.crops for one in taken])
            looks = [one.looked for one in taken if one.looked is not None]
            try:
                looked, wanted = np.concatenate(looks) if looks else None, {one.explaining for one in taken}
                explaining = wanted.pop() if len(wanted) == 1 else "alarms"
                evidence = await asyncio.to_thread(self._work, crops, looked, explaining)
            except Exception as error:
                for one in taken:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            self.passes.append(len(crops))
            first = 0
            for one in taken:
                if not one.answer.done():  # who asked may have gone
                    one.answer.set_result((evidence, first))
                first += len(one)

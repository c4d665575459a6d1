"""Progress bars for whoever counts what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, TaskID

import realtime.system.command_line as cli

#: Told what is done, how much of it, and how much there is.
Tick = Callable[[str, int, int], None]


@contextmanager
def counted_bars() -> Iterator[Tick]:
    """A bar for each kind of thing that the given function is told of."""
    with Progress(console=cli.console) as bars:
        tasks: dict[str, TaskID] = {}

        def tick(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done)

        yield tick

"""What a long command shows of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from realtime.system.command_line import console

#: Told which stage is at work, how much of it is done, and how much there is.
Tick = Callable[[str, int, int], None]


@contextmanager
def ticking() -> Iterator[Tick]:
    """One progress bar, for the stage at work."""
    # The spinner and the clock move also while a group of faces, which is attacked at once, takes its minutes.
    text, counted = TextColumn("{task.description}"), MofNCompleteColumn()
    columns = (SpinnerColumn(), text, BarColumn(bar_width=20), counted, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task: TaskID | None = None
        now = ""

        def tick(stage: str, done: int, total: int) -> None:
            nonlocal task, now
            if task is None or stage != now:
                if task is not None:
                    bars.remove_task(task)
                task, now = bars.add_task(stage, total=total), stage
            bars.update(task, completed=done)

        yield tick

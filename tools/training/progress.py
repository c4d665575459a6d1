"""How far a training is, for people who wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

import realtime.system.command_line as cli
from models.training.fit import Record
from models.training.stages import Progress as Told


@contextmanager
def training_bars() -> Iterator[Told]:
    """A progress bar per stage, with the newest validation figure beside it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    with Progress(*columns, console=cli.console) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(stage: str, share: float, record: Record | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=1.0, note="")
            note = "" if record is None else _newest(record)
            bars.update(tasks[stage], completed=min(1.0, share), note=note)

        yield progress


def _newest(record: Record) -> str:
    """The epoch and, where something is validated, the score; without it ``fit`` counts epochs there."""
    told = f": score {100 * record['score']:.1f} %" if "clean_accuracy" in record else ""
    return f"{record['epoch']:.0f}{told}"

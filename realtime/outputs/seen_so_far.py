"""How far a file is read, on the terminal, while every frame of it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from models.arrays import Bytes
from realtime.types import Frame


@contextmanager
def seen_so_far(console: Console | None = None) -> Iterator[Callable[[Frame, Bytes], None]]:
    """Told of each picture, it says on stderr how many there were and where in the file they are.

    Only where stderr is a terminal; the line goes at the end.
    """
    console = console or Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as line:
        task = line.add_task("every frame: opening")

        def show(frame: Frame, picture: Bytes) -> None:
            at = "" if frame.file_time is None else f", second {frame.file_time:.1f} of the file"
            line.update(task, description=f"every frame: {frame.index + 1} pictures{at}")

        yield show

"""Cuts canonical face crops out of a folder per person: ``python -m tools.prepare SOURCE TARGET``.

How, and what is written: ``realtime.people.crops``.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from realtime.people.crops import prepare
from realtime.people.preparation import REPORT

_SHOWN = 20  # names of pictures without a crop

app = typer.Typer(add_completion=False, help="Cut canonical face crops out of a folder per person.")


@app.command()
def main(
    source: Annotated[Path, typer.Argument(help="Folder that holds one folder of pictures per person.")],
    target: Annotated[Path, typer.Argument(help="Folder for the crops; made if missing.")],
    size: Annotated[int, typer.Option(help="Side of the crops in pixels.")] = 128,
    allow_single: Annotated[bool, typer.Option(help="Accept people with one picture.")] = False,
    keep_undetected: Annotated[
        bool, typer.Option(help="Keep pictures without a detected face: they are face crops already.")
    ] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Find the face in each picture, align it, and write TARGET/<person>/<file>.png."""
    report = prepare(source, target, size=size, allow_single=allow_single, keep_undetected=keep_undetected, quiet=False)
    cli.write_json(json_file, report)
    cli.console.print(f"{report['kept']} of {report['pictures']} pictures kept, {report['people']} people, in {target}")
    for reason, count in report["reasons"].items():
        cli.console.print(f"  {count} x {reason}")
    print_left_out([*report["skipped"], *report["dropped"]])


class LeftOut(TypedDict):
    """A picture without a crop."""

    person: str
    picture: str
    reason: str


def print_left_out(lost: Sequence[LeftOut]) -> None:
    """By name what gave no crop, and why: the first twenty, the others are in ``prepare.json``."""
    for each in lost[:_SHOWN]:
        cli.console.print(f"  {Path(each['person'], each['picture'])}: {each['reason']}")
    if len(lost) > _SHOWN:
        cli.console.print(f"  and {len(lost) - _SHOWN} more, all named in {REPORT}")


if __name__ == "__main__":
    cli.run_app(app)

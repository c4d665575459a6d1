"""Measures: ``python -m tools.benchmark [--what decision|live|stages|time|...] [--against naive] [--source ...]``.

Without ``--what`` it runs one source and prints its rates and stage times.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from models.errors import BadInput
from realtime.system.threads import calm_opencv, thread_budget
from tools.bench.kinds import KINDS, Asked
from tools.bench.machine import Machine, in_words, machine
from tools.common.provenance import command_line

app = typer.Typer(add_completion=False, help="How fast, how old, how much: measured on this machine.")


class What(StrEnum):
    """What is measured."""

    decision = "decision"
    live = "live"
    detect = "detect"
    soak = "soak"
    profile = "profile"
    time = "time"
    cluster = "cluster"
    people = "people"
    stages = "stages"
    first = "first"
    identify = "identify"


class Mode(StrEnum):
    """How the clips of faces that change are run."""

    live = "live"
    paced = "paced"
    every_frame = "every frame"


class Against(StrEnum):
    """What is compared with."""

    naive = "naive"


@app.command()
def benchmark(  # noqa: PLR0913 - a command's options
    context: typer.Context,
    what: Annotated[What | None, typer.Option(help="None: one run of the source, with its stage times.")] = None,
    against: Annotated[Against | None, typer.Option(help="Compare with the natural way, offline.")] = None,
    source: Annotated[
        str | None, typer.Option(help="A webcam's number, rtsp://, http(s)://, or a file; none: the demo scene.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="Live: a YAML file, or webcam, cctv.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Name or folder of a bundle.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="May be repeated; none: all here, live: auto.")] = None,
    size: Annotated[list[int] | None, typer.Option(min=32, help="Crop sizes, may be repeated: 112, 224.")] = None,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Faces per pass, may be repeated: 1, 4.")] = None,
    zone: Annotated[list[str] | None, typer.Option(help="Decision: hides these, not the bundle's (repeat).")] = None,
    faces: Annotated[list[int] | None, typer.Option(min=1, max=32, help="In the scene, may be repeated.")] = None,
    cameras: Annotated[list[int] | None, typer.Option(min=1, max=16, help="May be repeated.")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each live run, after its warm-up.")] = 20.0,
    minutes: Annotated[float, typer.Option(min=0.05, help="Of the soak; cluster: of the kills.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; figures are their medians. Cluster: kills.")] = 10,
    threads: Annotated[int | None, typer.Option(min=1, max=64, help="For inference; none: the shipped budget.")] = None,
    yunet: Annotated[Path | None, typer.Option(help="OpenCV's YuNet file, to compare with.")] = None,
    sface: Annotated[Path | None, typer.Option(help="Against: OpenCV's SFace file; with --yunet a peer.")] = None,
    people: Annotated[Path | None, typer.Option(help="Time: pictures per known person; people: of one person.")] = None,
    strangers: Annotated[Path | None, typer.Option(help="Time: a folder of pictures for each of others.")] = None,
    mode: Annotated[list[Mode] | None, typer.Option(help="Time: may be repeated; none: all three.")] = None,
    only: Annotated[str, typer.Option(help="Time: clips whose name holds this.")] = "",
    decision_ms: Annotated[float, typer.Option(min=1, max=5000, help="Time, paced: of a decision.")] = 120.0,
    plain: Annotated[bool, typer.Option("--plain", help="Live: keep no events and serve no page.")] = False,
    json_file: cli.JsonFile = None,
    png: Annotated[Path | None, typer.Option(help="Write a chart here.")] = None,
) -> None:
    """Measure decisions, live runs, detection, a soak, a change of people, or compare with the natural way."""
    cli.check_writable(json_file, png)
    kind = against.value if against else what.value if what else "run"
    refuse_unused(context, kind)
    calm_opencv()
    asked = Asked(
        *(source, config, bundle, engine or (), size or (), batch or (), zone or (), faces or (), cameras or ()),
        *(seconds, minutes, repeats, threads, thread_budget(inference=threads).inference, yunet, sface, plain),
        *(people, strangers, [one.value for one in mode or Mode], only, decision_ms),
    )
    outcome = measured(kind, asked)
    cli.write_json(json_file, outcome.record())
    show(kind, outcome)
    if png is not None:
        from tools.bench import charts

        charts.save(charts.chart_of(kind, outcome.results), png)


@dataclass(frozen=True)
class Outcome:
    """The ``results`` of a measurement, and on what they were made; ``notes``: threads, and what the kind adds."""

    machine: Machine
    notes: Mapping[str, object]
    results: Any

    def record(self) -> dict[str, object]:
        """For JSON, with the command."""
        command = command_line("tools.benchmark")
        return {"command": command, "machine": self.machine, **self.notes, "results": self.results}


def measured(kind: str, asked: Asked) -> Outcome:
    """Measure it now."""
    with tempfile.TemporaryDirectory(prefix="spectaclear-benchmark-") as folder:
        before, notes = machine(), {"threads": asked.inference, **KINDS[kind].notes(asked)}
        return Outcome(before, notes, KINDS[kind].measure(asked, Path(folder)))


def show(kind: str, outcome: Outcome) -> None:
    """The table, and what to know of it."""
    console = cli.console if cli.console.is_terminal else Console(width=150)  # a file has no narrow screen
    console.print(KINDS[kind].table(outcome.results))
    if headline := KINDS[kind].headline(outcome.results):
        console.print("\n".join(headline))
    if not outcome.machine["quiet"]:
        cli.console.print("The machine was busy with other things: rates and ages are worse than it can do.")
    console.print(f"{in_words(outcome.machine)}; threads for inference: {outcome.notes['threads']}", style="dim")


def refuse_unused(context: typer.Context, kind: str) -> None:
    """What is ignored in silence would be taken for measured.

    Raises:
        BadInput: an option was given that the measurement does not use.
    """
    in_use = {"run": "a run without --what", "naive": "--against naive"}.get(kind, f"--what {kind}")
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and name not in KINDS[kind].uses | {"json_file", "png"}:
            used = ", ".join(f"--{one}" for one in sorted(KINDS[kind].uses - {"what", "against"}))
            raise BadInput(f"{parameter.opts[0]}: {in_use} does not use it, leave it out; it takes {used}")


if __name__ == "__main__":
    cli.run_app(app)

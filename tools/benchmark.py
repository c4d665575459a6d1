"""Measures: ``python -m tools.benchmark [--what decision|live|time|...] [--against naive] [--source ...]``.

Without ``--what`` it runs one source and prints its rates and stage times.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from models.bundle import load_bundle
from models.crop.zones import checked_zones
from models.errors import BadInput
from realtime.system.threads import calm_opencv, thread_budget
from tools.bench import tables
from tools.bench.machine import in_words, machine
from tools.common.provenance import command_line

SIZES = (112, 224)
#: What each measurement can be told; --json and --png go with all of them.
USES = {
    "run": {"source", "config", "bundle", "engine", "threads", "seconds"},
    "naive": {"against", "bundle", "engine", "size", "repeats", "threads"},
    "decision": {"what", "bundle", "engine", "size", "batch", "zone", "repeats", "threads"},
    "detect": {"what", "faces", "repeats", "threads", "yunet"},
    "profile": {"what", "bundle", "size", "repeats", "threads"},
    "soak": {"what", "bundle", "engine", "threads", "minutes", "plain"},
    "time": {"what", "people", "strangers", "bundle", "engine", "threads", "mode", "only", "decision_ms"},
    "live": {"what", "source", "config", "bundle", "engine", "threads", "faces", "cameras", "seconds", "plain"},
}

app = typer.Typer(add_completion=False, help="How fast, how old, how much: measured on this machine.")


class What(StrEnum):
    """What is measured."""

    decision = "decision"
    live = "live"
    detect = "detect"
    soak = "soak"
    time = "time"
    profile = "profile"


class Mode(StrEnum):
    """How the clips of faces that change are run."""

    live = "live"
    paced = "paced"
    every_frame = "every frame"


class Against(StrEnum):
    """What is compared with."""

    naive = "naive"


@app.command()
def benchmark(
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
    minutes: Annotated[float, typer.Option(min=0.05, help="Of the soak.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; figures are their medians.")] = 10,
    threads: Annotated[int | None, typer.Option(min=1, max=64, help="For inference; none: the shipped budget.")] = None,
    yunet: Annotated[Path | None, typer.Option(help="Detect: OpenCV's YuNet file, to compare with.")] = None,
    people: Annotated[Path | None, typer.Option(help="Time: a folder of pictures per known person.")] = None,
    strangers: Annotated[Path | None, typer.Option(help="Time: a folder of pictures for each of others.")] = None,
    mode: Annotated[list[Mode] | None, typer.Option(help="Time: may be repeated; none: all three.")] = None,
    only: Annotated[str, typer.Option(help="Time: clips whose name holds this.")] = "",
    decision_ms: Annotated[float, typer.Option(min=1, max=5000, help="Time, paced: of a decision.")] = 120.0,
    plain: Annotated[bool, typer.Option("--plain", help="Live: keep no events and serve no page.")] = False,
    json_file: cli.JsonFile = None,
    png: Annotated[Path | None, typer.Option(help="Write a chart here.")] = None,
) -> None:
    """Measure decisions, live runs, detection, a soak, what limits a pass, or compare with the natural way."""
    cli.check_writable(json_file, png)
    kind = against.value if against else what.value if what else "run"
    refuse_unused(context, kind)
    calm_opencv()
    budget = thread_budget(inference=threads)
    outcome: dict[str, Any] = {
        "command": command_line("tools.benchmark"),
        "machine": machine(),
        "threads": budget.inference,
    }
    show: Callable[[Any], RenderableType]
    with tempfile.TemporaryDirectory(prefix="spectaclear-benchmark-") as folder:
        published = bundle or "plain"  # what is compared pass by pass is the published method
        if against is Against.naive:
            from tools.bench import against as compared
            from tools.bench.decision import engines_here

            chosen = tuple(engine or [name for name in engines_here() if name != "torch"])
            plan = compared.Plan(chosen, tuple(size or SIZES), rounds=repeats, threads=budget.inference)
            outcome["results"] = compared.measure(load_bundle(published), plan, Path(folder))
            show = tables.naive_table
        elif what is What.decision:
            from tools.bench import decision

            batches = tuple(batch or (1, 4))
            measured = decision.Plan(
                tuple(engine or ()), tuple(size or SIZES), batches, repeats, budget.inference, checked_zones(zone or [])
            )
            outcome["baseline"] = decision.BASELINE_IN_WORDS
            outcome["results"] = decision.measure(load_bundle(published), measured, Path(folder))
            show = tables.decision_table
        elif what is What.detect:
            from tools.bench import detect

            searched = detect.Plan(tuple(faces or (1, 4, 8)), repeats=repeats, threads=threads or 1, yunet=yunet)
            outcome |= {"results": detect.measure(searched), "threads": searched.threads}
            show = tables.detect_table
        elif what is What.profile:
            from tools.bench import profile

            outcome["results"] = profile.measure(
                load_bundle(published), tuple(size or SIZES), Path(folder), repeats=repeats, threads=budget.inference
            )
            show = tables.profile_table
        elif what is What.soak:
            from tools.bench import soak

            outcome["results"] = soak.measure(
                soak.Plan(minutes, bundle=bundle, engine=only_one(engine), threads=threads, everything=not plain)
            )
            show = tables.soak_table
        elif what is What.time:
            from tools.bench import time

            if people is None or strangers is None:
                raise BadInput("--what time makes its clips from pictures: give --people and --strangers")
            modes = [time.MODES[one.value] for one in mode or Mode]
            outcome["results"] = time.measure(
                time.Plan(people, strangers, bundle, only_one(engine), threads, only, modes, decision_ms)
            )
            show = tables.time_table
        elif what is What.live:
            from tools.bench import live

            like = live.Case(
                seconds=seconds,
                source=source,
                config=config,
                bundle=bundle,
                engine=only_one(engine),
                threads=threads,
                everything=not plain,
            )
            outcome["results"] = live.measure(live.cases_of(faces or (), cameras or (), like))
            show = tables.live_table
        else:
            from tools.bench import single_run as simple

            settings = simple.settings(source, config, bundle, only_one(engine), threads)
            outcome["results"] = simple.measure(settings, seconds)
            show = simple.tables
    cli.write_json(json_file, outcome)
    console = cli.console if cli.console.is_terminal else Console(width=150)  # a file has no narrow screen
    console.print(show(outcome["results"]))
    if what is What.decision:
        console.print("\n".join(decision_headline(outcome["results"])))
    if not outcome["machine"]["quiet"]:
        cli.console.print("The machine was busy with other things: rates and ages are worse than it can do.")
    console.print(f"{in_words(outcome['machine'])}; threads for inference: {outcome['threads']}", style="dim")
    if png is not None:
        from tools.bench import charts

        charts.save(charts.chart_of(kind, outcome["results"]), png)


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
        if given and name not in USES[kind] | {"json_file", "png"}:
            used = ", ".join(f"--{one}" for one in sorted(USES[kind] - {"what", "against"}))
            raise BadInput(f"{parameter.opts[0]}: {in_use} does not use it, leave it out; it takes {used}")


def decision_headline(rows: list[dict[str, Any]]) -> list[str]:
    """What is asked for first."""
    from tools.bench import decision

    return decision.headline(rows)


def only_one(engines: list[str] | None) -> str | None:
    """A run has one engine.

    Raises:
        BadInput: more than one was given.
    """
    if engines and len(engines) > 1:
        raise BadInput("--engine: a run has one engine; give it once, and measure one after another")
    return engines[0] if engines else None


if __name__ == "__main__":
    cli.run_app(app)

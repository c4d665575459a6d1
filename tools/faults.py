"""Breaks cameras in every way that is known, and measures what a viewer notices of it.

    python -m tools.faults                  # one fault after another, a sound camera beside each: about 90 seconds
    python -m tools.faults --isolation      # four cameras at once, three of which fail: about 100 seconds

Servers of our own on loopback play the cameras; what watches them is what a run uses. Exit code 1 where a target
is missed.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated

import typer

from models.errors import BadInput
from realtime.settings.config import CameraConfig, Config, load_config
from tools.fault_drill.drill import run_drill
from tools.fault_drill.faults import FAULTS
from tools.fault_drill.isolation import measure_isolation
from tools.fault_drill.report import drill_markdown, drill_table, isolation_markdown, isolation_table

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)


@app.command()
def main(
    isolation: Annotated[bool, typer.Option("--isolation", help="Four cameras at once, three of which fail.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only faults whose name holds this; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option(min=6, max=3600, help="Isolation: length of each turn.")] = 20.0,
    turns: Annotated[int, typer.Option(min=1, max=100, help="Isolation: alone and together so many times.")] = 2,
    config: Annotated[str, typer.Option("--config", help="Its first camera gives the time-outs.")] = "cctv",
    bundle: Annotated[str | None, typer.Option("--bundle", help="Isolation: name or folder of a bundle.")] = None,
    json_file: cli.JsonFile = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the table here, as for a README.")] = None,
) -> None:
    """Break cameras and measure what a viewer notices."""
    cli.check_writable(json_file, markdown)
    settings = _settings(config, bundle)
    camera = settings.cameras[0]
    figures: dict[str, object] = {"time_outs": _time_outs(camera)}
    if isolation:
        found = measure_isolation(settings, seconds=seconds, turns=turns)
        cli.console.print(isolation_table(found))
        text, met = isolation_markdown(found), found.on_target
        figures["isolation"] = found.as_dict()
    else:
        wanted = [fault for fault in FAULTS if not only or any(part in fault.name for part in only)]
        if not wanted:
            names = "; ".join(fault.name for fault in FAULTS)
            raise BadInput(f"--only {', '.join(only or [])}: no such fault; known are: {names}")
        results = run_drill(camera, wanted, tell=lambda one: cli.console.print(f"{one.fault}: {', '.join(one.sees)}"))
        cli.console.print(drill_table(results))
        text, met = drill_markdown(results, camera), all(result.on_target for result in results)
        figures["faults"] = [result.as_dict() for result in results]
    cli.write_json(json_file, figures)
    if markdown is not None:
        cli.write_whole(markdown, text.encode())
    if not met:
        raise typer.Exit(1)


def _settings(name: str, bundle: str | None) -> Config:
    settings = load_config(name, sources=False)
    if bundle is not None:
        recognition = settings.recognition.model_copy(update={"bundle": bundle})
        settings = settings.model_copy(update={"recognition": recognition})
    return settings


def _time_outs(camera: CameraConfig) -> dict[str, float]:
    return {key: getattr(camera, key) for key in ("open_timeout", "read_timeout", "max_frame_age")}


if __name__ == "__main__":
    cli.run_app(app)

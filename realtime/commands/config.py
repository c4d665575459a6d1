"""``python -m realtime config show | check | example``: what is set, whether it can be, and what could be."""

from __future__ import annotations

from typing import Annotated

import typer
import yaml

from realtime.settings.config import config_model, find_config, load_config
from realtime.settings.reference import example as example_of_all
from realtime.system.command_line import JsonFile, check_writable, console, write_json
from realtime.system.redact import redact_all

app = typer.Typer(help="The configuration: show, check, example.", rich_markup_mode=None)

ConfigFile = Annotated[str | None, typer.Option("--config", help="A YAML file, or the name of a shipped one.")]
Given = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a shipped one.")]


@app.command()
def show(
    config: ConfigFile = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what differs from the defaults.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Print what a configuration sets, defaults included; passwords and tokens are hidden."""
    check_writable(json_file)
    settings = load_config(config, sources=False)
    values = redact_all(settings.model_dump(mode="json", exclude_defaults=changed))
    write_json(json_file, values)
    typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


@app.command()
def check(config: Given, json_file: JsonFile = None) -> None:
    """Read a configuration as ``run`` would, environment variables included, and say what it is or what is wrong."""
    check_writable(json_file)
    settings = load_config(config)
    found = {"file": str(find_config(config)), "cameras": [camera.name for camera in settings.cameras]}
    write_json(json_file, found)
    console.print(f"{found['file']}: right; cameras: {', '.join(found['cameras'])}", soft_wrap=True)


@app.command()
def example(json_file: JsonFile = None) -> None:
    """Print every setting with its default and what it is for, as YAML to edit; ``--json`` writes the JSON Schema."""
    check_writable(json_file)
    write_json(json_file, config_model().model_json_schema())
    typer.echo(example_of_all(), nl=False)

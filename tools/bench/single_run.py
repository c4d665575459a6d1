"""The first, simple form: one run of a source as it is, its rates and the times of its stages."""

from __future__ import annotations

from rich.console import RenderableType

from realtime.metrics import Summary
from realtime.outputs.summary import summary_tables
from realtime.settings.config import Config, load_config


def settings(
    source: str | None, config: str | None, bundle: str | None, engine: str | None, threads: int | None
) -> Config:
    """The configuration with what was given on the command line; without a source or a file, the demo scene."""
    if source is None and config is None:
        source = "demo"
    loaded = load_config(config, sources=source is None)
    if source is not None:
        loaded = loaded.with_source(source)
    wanted = {"bundle": bundle, "engine": engine, "threads": threads}
    given = {key: value for key, value in wanted.items() if value is not None}
    return loaded.model_copy(update={"recognition": loaded.recognition.model_copy(update=given)})


def measure(settings: Config, seconds: float) -> Summary:
    """Run it."""
    from realtime.session import Outputs, run

    return run(settings, Outputs(seconds=seconds))


def tables(summary: Summary) -> RenderableType:
    """For people."""
    return summary_tables(summary)

"""Options that several commands of ``spectaclear`` share, and the configuration that comes of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from models.errors import BadInput
from realtime.settings.config import Config, load_config

LONGEST = 1e9  # seconds, thirty years

ConfigFile = Annotated[str | None, typer.Option("--config", help="A YAML file, or webcam, cctv, published_method.")]
Headless = Annotated[bool, typer.Option("--headless", help="Open no window.")]
Seconds = Annotated[float | None, typer.Option("--seconds", min=0.1, max=LONGEST, help="Stop after so long.")]
Record = Annotated[Path | None, typer.Option("--record", help="Record what is shown as MP4.")]
EveryFrame = Annotated[bool, typer.Option("--every-frame", help="Process every frame, however long it takes.")]
BundleName = Annotated[str | None, typer.Option("--bundle", help="Name or folder of a bundle.")]
GalleryFile = Annotated[str | None, typer.Option("--gallery", help="The people's file; embedded: the bundle's own.")]
Web = Annotated[bool, typer.Option("--web", help="Serve the live page (loopback, port 8080; see web in the config).")]
Host = Annotated[str | None, typer.Option("--host", help="Where the page listens; beyond loopback it needs a token.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the live page.")]
EventsFolder = Annotated[
    Path | None, typer.Option("--events", help="Keep what matters, with evidence, in this folder.")
]
Wear = Annotated[Path | None, typer.Option("--wear", help="Drill: draw this RGBA picture (glasses) onto every face.")]
Jsonl = Annotated[Path | None, typer.Option("--jsonl", help="Write a line of JSON for every decision.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="auto, onnxruntime, torch, ...")]


def settings_of(
    config: str | None,
    source: str | None,
    bundle: str | None,
    engine: str | None,
    every_frame: bool,
    *,
    cameras: bool = True,
    gallery: str | None = None,
) -> Config:
    """The configuration with what was given on the command line; ``cameras``: whether the command opens them."""
    settings = load_config(config, sources=cameras and source is None)
    if source is not None:
        settings = settings.with_source(source, every_frame=every_frame or None)
    elif every_frame:
        every = [camera.model_copy(update={"every_frame": True}) for camera in settings.cameras]
        settings = settings.model_copy(update={"cameras": every})
    named = (("bundle", bundle), ("engine", engine), ("gallery", gallery))
    changes = {key: value for key, value in named if value is not None}
    return settings.model_copy(update={"recognition": settings.recognition.model_copy(update=changes)})


def with_services(settings: Config, web: bool, host: str | None, port: int | None, folder: Path | None) -> Config:
    """The options on top of the configuration; a token in the environment is taken where the file gives none.

    Raises ``BadInput`` where an option would be without effect.
    """
    for option, given in (("--host", host), ("--port", port)):
        if given is not None and not (web or settings.web.enabled):
            raise BadInput(f"{option} {given} is for the live page; add --web")
    page: dict[str, object] = {"enabled": True} if web else {}
    for key, value in (("host", host), ("port", port)):
        if value is not None:
            page[key] = value
    token = os.environ.get("SPECTACLEAR_TOKEN")
    if token and settings.web.token is None:
        page["token"] = SecretStr(token)
    events = {} if folder is None else {"folder": str(folder)}
    return settings.model_copy(
        update={
            "web": settings.web.model_copy(update=page),
            "events": settings.events.model_copy(update=events),
        }
    )

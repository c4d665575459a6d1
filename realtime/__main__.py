"""``python -m realtime demo | run | check | identify | people | events | config``: the command line."""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.errors import BadInput
from realtime.commands.options import (
    LONGEST,
    BundleName,
    ConfigFile,
    EngineName,
    EventsFolder,
    EveryFrame,
    GalleryFile,
    Headless,
    Host,
    Jsonl,
    Port,
    Record,
    Seconds,
    Wear,
    Web,
    settings_of,
    with_services,
)
from realtime.settings.config import CameraConfig, Config
from realtime.settings.paths import EMBEDDED

if TYPE_CHECKING:
    from realtime.session import Ended, Outputs

#: Groups of commands and where each has its ``app``: imported only where one is asked for, which others need not
#: wait for.
_GROUPS = {
    "events": "realtime.outputs.events.commands",
    "config": "realtime.commands.config",
    "people": "realtime.people.commands",
    "cluster": "realtime.cluster.commands",
}


class _WithGroups(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _GROUPS:
            return super().get_command(ctx, cmd_name)
        one = typer.Typer()
        one.add_typer(import_module(_GROUPS[cmd_name]).app, name=cmd_name)
        return typer.main.get_group(one).commands[cmd_name]


app = typer.Typer(
    cls=_WithGroups,
    add_completion=False,
    no_args_is_help=True,
    help="Face recognition that notices adversarial glasses.",
)

DEMO_RECORDING = Path("spectaclear-demo.mp4")
ACT_SECONDS = 8.0


@app.command()
def demo(
    headless: Headless = False,
    seconds: Seconds = None,
    record: Record = None,
    json_file: cli.JsonFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    engine: EngineName = None,
    every_frame: EveryFrame = False,
    web: Web = False,
    host: Host = None,
    port: Port = None,
    events: EventsFolder = None,
) -> None:
    """Play the embedded scene: a face is recognised, attacked with adversarial glasses, and defended."""
    from realtime.cameras.demo_scene import FPS
    from realtime.commands.demo import Demo
    from realtime.session import Outputs, run, window_wanted

    window = not every_frame and window_wanted(headless=headless)  # over every frame a run opens none
    if seconds is None and not web:
        seconds = 3 * ACT_SECONDS
    if not window and not web and record is None:
        record = DEMO_RECORDING
    cli.check_writable(json_file, record)
    if record is DEMO_RECORDING:
        record.unlink(missing_ok=True)  # a film of the demo is like every other
    length = seconds if seconds is not None else 3 * ACT_SECONDS
    frames = None if seconds is None else round(seconds * FPS)
    settings = settings_of(config, None, bundle, engine, False, cameras=False, gallery=EMBEDDED)
    worn = settings.recognition.bundle
    played = Demo(length / 3, frames=frames, every_frame=every_frame, bundle=None if worn is None else str(worn))
    camera = CameraConfig(name="demo", source=played.as_source(), every_frame=every_frame)
    settings = settings.model_copy(update={"cameras": [camera]})
    settings = with_services(settings, web, host, port, events)

    def report(ended: Ended) -> None:
        ended.summary["acts"] = played.acts()
        _report(ended, json_file)

    run(settings, Outputs(record, window, on_decision=[played.count], note=played.note, report=report))
    cli.console.print(
        "The demo illustrates, it measures nothing: the bundle knows this face from variants of this very portrait."
    )


@app.command(name="run")
def run_sources(  # noqa: PLR0913 - a command's options
    source: Annotated[
        str | None, typer.Option("--source", help="0 (webcam), rtsp://user:pass@host/stream, http(s)://, or a file.")
    ] = None,
    headless: Headless = False,
    seconds: Seconds = None,
    record: Record = None,
    json_file: cli.JsonFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    gallery: GalleryFile = None,
    engine: EngineName = None,
    every_frame: EveryFrame = False,
    web: Web = False,
    host: Host = None,
    port: Port = None,
    events: EventsFolder = None,
    wear: Wear = None,
    jsonl: Jsonl = None,
) -> None:
    """Watch a webcam, a network camera or a file, and name the faces in it."""
    from realtime.commands.jsonl import DecisionLines
    from realtime.session import Outputs, files_read, run, window_wanted

    settings = with_services(
        settings_of(config, source, bundle, engine, every_frame, gallery=gallery), web, host, port, events
    )
    record = record or (Path(settings.record.file) if settings.record.file else None)
    json_file = json_file or (Path(settings.output.json_file) if settings.output.json_file else None)
    cli.check_writable(json_file, record, jsonl)
    cli.refuse_overwriting(files_read(settings), json_file, jsonl)
    window = settings.output.window and window_wanted(headless=headless)
    outputs = Outputs(record, window, seconds, report=lambda ended: _report(ended, json_file))
    with ExitStack() as stack:
        if jsonl is not None:
            lines = stack.enter_context(DecisionLines(jsonl))
            outputs = replace(outputs, on_decision=[lines.count])
        if wear is None:
            run(settings, outputs)
        else:
            _drill(settings, outputs, wear, json_file)


def _drill(settings: Config, outputs: Outputs, wear: Path, json_file: Path | None) -> None:
    """A run whose faces wear what the picture shows; nothing of it is kept as an event."""
    from realtime.assembly import detector_of
    from realtime.drill import Drill, read_wearable, without_history
    from realtime.session import run

    drill = Drill(partial(detector_of, settings.detection), always=read_wearable(wear))

    def report(ended: Ended) -> None:
        ended.summary["acts"] = [drill.act()]
        _report(ended, json_file)

    if settings.events.folder is not None:
        cli.console.print("a drill: no event is kept or sent")
    run(without_history(settings), replace(outputs, report=report), drill=drill)


@app.command()
def check(
    source: Annotated[str | None, typer.Option("--source", help="What to open; none: the configured cameras.")] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, max=LONGEST, help="How long to look.")] = 3.0,
    json_file: cli.JsonFile = None,
    config: ConfigFile = None,
) -> None:
    """Open a camera, or all that are configured; say what each sends, or what is wrong and how to mend it."""
    from realtime.commands.check import check_camera, check_cameras, print_check, print_checks

    settings = settings_of(config, source, None, None, False)
    cli.check_writable(json_file)
    if len(settings.cameras) > 1:
        all_found = check_cameras(settings.cameras, seconds=seconds)
        cli.write_json(json_file, {"cameras": all_found})
        print_checks(all_found, cli.console)
        return
    found = check_camera(settings.cameras[0], seconds=seconds)
    cli.write_json(json_file, found)
    print_check(found, cli.console)


@app.command()
def identify(
    photos: Annotated[list[Path], typer.Argument(help="Pictures, and folders of pictures.")],
    save: Annotated[Path | None, typer.Option("--save", help="Write the picture with the answers drawn in.")] = None,
    json_file: cli.JsonFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    gallery: GalleryFile = None,
    engine: EngineName = None,
) -> None:
    """Name the faces in pictures."""
    from realtime.commands.identify import identify_photo, identify_photos, print_faces

    settings = settings_of(config, None, bundle, engine, False, cameras=False, gallery=gallery)
    cli.check_writable(json_file)
    cli.refuse_overwriting(photos, save, json_file)
    if len(photos) == 1 and not photos[0].is_dir():
        found = identify_photo(photos[0], settings, save=save)
        cli.write_json(json_file, found)
        print_faces(found, cli.console)
        return
    if save is not None:
        raise BadInput(f"--save {save} is for one picture; give one")
    several = identify_photos(photos, settings)
    cli.write_json(json_file, {"photos": several})
    for one in several:
        if "error" in one:
            cli.console.print(one["error"])
        else:
            print_faces(one, cli.console)


@app.command()
def explain(
    photo: Annotated[Path, typer.Argument(help="A picture.")],
    png: Annotated[Path | None, typer.Option("--png", help="The picture to write; none: beside you.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="The page to write; none: beside you.")] = None,
    json_file: cli.JsonFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    gallery: GalleryFile = None,
    engine: EngineName = None,
) -> None:
    """Say why each face of a picture is named, or not: every look at it, and the reason, as a picture and a page."""
    from realtime.commands.explain import explain_photo, files_of

    settings = settings_of(config, None, bundle, engine, False, cameras=False, gallery=gallery)
    png, html = files_of(photo, png, html)
    cli.check_writable(png, html, json_file)
    cli.refuse_overwriting([photo], png, html, json_file)
    found = explain_photo(photo, settings, png=png, html=html)
    cli.write_json(json_file, {"photo": str(photo), "faces": [one.as_dict() for one in found]})
    for one in found:
        cli.console.print("\n  ".join([one.heading, *one.sentences]))
    cli.console.print(f"{png}\n{html}")


def _report(ended: Ended, json_file: Path | None) -> None:
    from realtime.outputs.summary import print_summary

    try:
        cli.write_json(json_file, {**ended.summary, "failures": ended.failures})
    finally:  # where the file cannot be written, here are the figures; and where nobody reads these, there is the file
        print_summary(ended.summary, cli.console)
    for file in ended.recorded:
        cli.console.print(f"recorded: {file}")


def main() -> None:
    """The console script ``spectaclear``."""
    cli.run_app(app)


if __name__ == "__main__":
    main()

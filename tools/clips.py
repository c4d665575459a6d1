"""Makes clips from pictures: of one face each, drifting for five seconds, or of faces that take each other's place.

    python -m tools.clips faces --people FOLDER --out clips    # a clip per picture
    python -m tools.clips changes --people FOLDER --strangers FOLDER --out clips    # the twenty of --what time
    python -m tools.clips drift VIDEO ...    # how much the face in a video drifts

Beside every clip lies a JSON file that says whose face is where in each picture.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import BadInput
from realtime.assembly import detector_of, recogniser_of
from realtime.people.pictures import people_of
from realtime.settings.config import Config, RecognitionConfig
from tools.fault_drill.casting import cast_of
from tools.fault_drill.changes import changes as clips_of_changes
from tools.fault_drill.drift import drifting, measured
from tools.fault_drill.scenes import Portrait, read_portrait, write_clip

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)
People = Annotated[Path, typer.Option(help="A folder of pictures for each person.")]
Out = Annotated[Path, typer.Option(help="The folder for the clips; made where it is missing.")]


@app.command()
def faces(
    people: People,
    out: Out,
    each: Annotated[int | None, typer.Option(min=1, help="Pictures of each person; none: all.")] = None,
    nameless: Annotated[bool, typer.Option("--nameless", help="They are strangers: nobody may be named.")] = False,
) -> None:
    """Write a five-second clip of every picture that shows a face."""
    out.mkdir(parents=True, exist_ok=True)
    number = 0
    for path, portrait in _portraits(people, each, nameless=nameless):
        write_clip(out / f"{path.parent.name}-{path.stem}.mp4", drifting(portrait, seed=number), seed=number)
        number += 1
    if not number:
        raise BadInput(f"{people}: no picture shows a face; give others")
    cli.console.print(f"{number} clips in {out}")


@app.command()
def changes(
    people: People,
    strangers: Annotated[Path, typer.Option(help="A folder of pictures for each of others.")],
    out: Out,
    bundle: Annotated[str | None, typer.Option(help="Name or folder of the bundle that knows the people.")] = None,
) -> None:
    """Write the clips in which one face takes another's place."""
    out.mkdir(parents=True, exist_ok=True)
    config = Config(recognition=RecognitionConfig(bundle=bundle))
    cast = cast_of(people, strangers, recogniser_of(config), detector_of(config.detection))
    for number, clip in enumerate(clips_of_changes(cast)):
        write_clip(out / f"{number + 1:02d} {clip.name}.mp4", clip, seed=number)
        cli.console.print(clip.name)


@app.command()
def drift(
    videos: Annotated[list[Path], typer.Argument(help="Videos of one face each.")], json_file: cli.JsonFile = None
) -> None:
    """Measure how much a face drifts: spread over five seconds and step from picture to picture."""
    cli.check_writable(json_file)
    found: dict[str, Any] = {}
    detector = detector_of(Config().detection)
    for video in videos:
        try:
            found[video.name] = measured(video, detector)
        except ValueError as error:
            raise BadInput(f"{error}; give a video of one face") from None
        cli.console.print(video.name)
        for name, (spread, step) in found[video.name].items():
            cli.console.print(f"  {name}: spread {spread:.4f}, step {step:.4f}")
    cli.write_json(json_file, found)


def _portraits(people: Path, each: int | None, *, nameless: bool) -> Iterator[tuple[Path, Portrait]]:
    detector = detector_of(Config().detection)
    for person, files in people_of(people, least=1).items():
        for path in files[:each]:
            portrait = read_portrait(path, detector, "" if nameless else person.replace("_", " "))
            if portrait is not None:
                yield path, portrait


if __name__ == "__main__":
    cli.run_app(app)

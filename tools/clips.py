"""Makes clips from pictures: of one face each, drifting for five seconds, or of faces that take each other's place.

    python -m tools.clips faces --people FOLDER --out clips    # a clip per picture
    python -m tools.clips changes --people FOLDER --strangers FOLDER --out clips    # the twenty of --what time
    python -m tools.clips drift VIDEO ...    # how much the face in a video drifts
    python -m tools.clips verdicts --people FOLDER --strangers FOLDER    # what a verdict is over five seconds
    python -m tools.clips attacked FOLDER    # the same of people who wear what tools.make_glasses wrote there

Beside every clip lies a JSON file that says whose face is where in each picture.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import dataclasses
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from models.errors import BadInput
from models.recogniser import Recogniser, load_recogniser
from realtime.assembly import detector_of, recogniser_of
from realtime.people.pictures import people_of
from realtime.settings.config import Config, RecognitionConfig
from tools.common.bars import counted_bars
from tools.common.provenance import command_line, commit_of_this_tree
from tools.crafting.store import MANIFEST
from tools.evaluation.clip_attacks import told_of, worn_clips
from tools.evaluation.clip_figures import Clip, movements, verdict_figures, ways_of_adding_up
from tools.evaluation.clip_looks import Looks, Subject, kept_looks
from tools.faces.splits import TEST_LOG, Split, log_look
from tools.fan_out.fan import fanned_out
from tools.fan_out.option import Ray, WithRay
from tools.fault_drill.casting import cast_of
from tools.fault_drill.changes import changes as clips_of_changes
from tools.fault_drill.drift import COUNT, Drift, drifting, measured
from tools.fault_drill.scenes import FPS, Portrait, read_portrait, write_clip

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)
People = Annotated[Path, typer.Option(help="A folder of pictures for each person.")]
Out = Annotated[Path, typer.Option(help="The folder for the clips; made where it is missing.")]
Work = Annotated[Path, typer.Option(help="Keeps what was looked at; a rerun goes on.")]
BundleName = Annotated[str | None, typer.Option(help="Name or folder of a bundle.")]
EngineName = Annotated[str, typer.Option(help="What answers.")]
Threads = Annotated[int, typer.Option(min=1)]
Looked = Annotated[Split, typer.Option(help="test: pictures that figures rest on; the look is written down.")]
Frames = Annotated[int, typer.Option(min=1, max=COUNT, help="Pictures of a clip; 25 a second.")]


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
    found: dict[str, dict[str, tuple[float, float]]] = {}
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


@app.command(cls=WithRay)
def verdicts(
    people: People,
    strangers: Annotated[Path, typer.Option(help="A folder of pictures for each of others.")],
    work: Work = Path("runs/clips"),
    bundle: BundleName = None,
    engine: EngineName = "onnxruntime-cpu",
    threads: Threads = 2,
    most: Annotated[int | None, typer.Option(min=1, help="Pictures of people, and of strangers; none: all.")] = None,
    frames: Frames = COUNT,
    seed: Annotated[int, typer.Option(min=0, help="Of the drift, and of which pictures where --most leaves some.")] = 0,
    split: Looked = Split.validation,
    ray: Ray = None,
    json_file: cli.JsonFile = None,
) -> None:
    """Run a five-second clip of every picture through detector, tracker and policy, every frame, and count verdicts."""
    cli.check_writable(json_file)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    subjects = _subjects(people, strangers, recogniser, most, seed)
    looks = _looks(recogniser, subjects, work, frames, (ray, engine, threads))
    places = {label: place for place, label in enumerate(recogniser.labels)}
    clips = [Clip(found, places.get(subjects[place].name)) for place, found in looks.items()]
    known = (recogniser.labels, tuple(recogniser.zones))
    rules = Config().verdict
    result = _made_with(recogniser, frames) | {
        "without_a_face": len(subjects) - len(clips),
        "verdicts": verdict_figures(clips),
        "added_up": ways_of_adding_up(clips, *known, recogniser.policy, rules),
        "movements": movements(clips, *known, rules, seed=seed),
    }
    _logged(split, {"verdicts": result["verdicts"]})
    cli.write_json(json_file, result)
    cli.console.print_json(data={key: result[key] for key in ("verdicts", "added_up")})


@app.command(cls=WithRay)
def attacked(
    folder: Annotated[Path, typer.Argument(help="What tools.make_glasses wrote with --photographs.")],
    work: Work = Path("runs/clips"),
    bundle: BundleName = None,
    engine: EngineName = "onnxruntime-cpu",
    threads: Threads = 2,
    most: Annotated[int | None, typer.Option(min=1, help="Photographs at most.")] = None,
    frames: Frames = COUNT,
    seed: Annotated[int, typer.Option(min=0, help="Of the drift.")] = 0,
    split: Looked = Split.validation,
    ray: Ray = None,
    json_file: cli.JsonFile = None,
) -> None:
    """Run a five-second clip of every photograph that wears an attack, and count what is told of it."""
    cli.check_writable(json_file)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    clips = worn_clips(folder, seed=seed, most=most)
    looks = _looks(recogniser, [clip.subject for clip in clips], work, frames, (ray, engine, threads))
    seen = [clips[place] for place in looks]
    result = _made_with(recogniser, frames) | {
        "attack": json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["settings"],
        "without_a_face": len(clips) - len(looks),
        "told": told_of(seen, list(looks.values()), recogniser.labels),
    }
    _logged(split, {"told": result["told"]})
    cli.write_json(json_file, result)
    cli.console.print_json(data=result["told"])


def _logged(split: Split, looked: dict[str, object]) -> None:
    if split is Split.test:
        log_look(TEST_LOG, looked, command="tools.clips")


def _looks(
    recogniser: Recogniser, subjects: list[Subject], work: Path, frames: int, computed: tuple[str | None, str, int]
) -> dict[int, Looks]:
    """``kept_looks`` under a progress bar; ``computed``: Ray's address, the engine and the threads."""
    with fanned_out(*computed, torch.device("cpu")) as fan, counted_bars() as tick:
        count = 0

        def done(more: int) -> None:
            nonlocal count
            count += more
            tick("clips", count, len(subjects))

        return kept_looks(recogniser, subjects, work, frames=frames, fan=fan, done=done)


def _made_with(recogniser: Recogniser, frames: int) -> dict[str, object]:
    return {
        "command": command_line("tools.clips"),
        "commit": commit_of_this_tree(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "bundle": {"name": recogniser.bundle.info.name, "checksum": recogniser.bundle.checksum},
        "engine": recogniser.engine,
        "zones": list(recogniser.zones),
        "drift": dataclasses.asdict(Drift()) | {"frames": frames, "fps": FPS},
    }


def _subjects(people: Path, strangers: Path, recogniser: Recogniser, most: int | None, seed: int) -> list[Subject]:
    """The pictures of people whom the bundle knows, and of strangers.

    Raises:
        BadInput: there are none of the one or the other.
    """
    known = {label.casefold(): label for label in recogniser.labels}
    found: list[Subject] = []
    for folder, foreign in ((people, False), (strangers, True)):
        named = [(who.replace("_", " "), files) for who, files in people_of(folder, least=1).items()]
        pictures = [
            (path, known.get(who.casefold(), "")) for who, files in named for path in files
            if (who.casefold() in known) != foreign
        ]  # fmt: skip
        if not pictures:
            raise BadInput(f"{folder}: no picture of {'anybody else' if foreign else 'a person whom the bundle knows'}")
        chosen = np.sort(np.random.default_rng([seed, foreign]).permutation(len(pictures))[:most])
        found += [
            Subject(pictures[place][0], pictures[place][1], seed + len(found) + n) for n, place in enumerate(chosen)
        ]
    return found


def _portraits(people: Path, each: int | None, *, nameless: bool) -> Iterator[tuple[Path, Portrait]]:
    detector = detector_of(Config().detection)
    for person, files in people_of(people, least=1).items():
        for path in files[:each]:
            portrait = read_portrait(path, detector, "" if nameless else person.replace("_", " "))
            if portrait is not None:
                yield path, portrait


if __name__ == "__main__":
    cli.run_app(app)

"""Half of somebody's photograph held before one's own face: ``python -m tools.halves CROPS``.

No attack is optimised here: the lower or the upper half of a known person's picture, printed and held in place, covers
that half of another person's face.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated, Literal, TypedDict

import numpy as np
import typer

from models.arrays import Bytes, Labels
from models.errors import BadInput
from models.recogniser import Recogniser, load_recogniser
from tools.common.bars import Tick, counted_bars
from tools.common.options import Aligned
from tools.common.provenance import measured_by
from tools.common.report import Proportion, percent
from tools.crafting.attacked_faces import labelled
from tools.evaluation.beside import answers
from tools.evaluation.measures import share
from tools.faces.people import read_people
from tools.faces.splits import TEST_LOG, Split, log_look, people_of_split

app = typer.Typer(add_completion=False, help="Measure half of a photograph held before a face.")

Half = Literal["lower", "upper"]
HALVES: tuple[Half, ...] = ("lower", "upper")


class HalfFigures(TypedDict):
    """``first_view_too``: the raw view and the first view with a zone hidden both name the printed person first."""

    raw_names_the_printed: Proportion
    first_view_too: Proportion
    known_as_the_printed: Proportion
    known_rightly: Proportion
    known_as_others: Proportion
    called_an_attack: Proportion


@app.command()
def main(
    data: Annotated[list[Path], typer.Argument(help="Crops of the bundle's people (tools.prepare).")],
    bundle: Annotated[str, typer.Option(help="Bundle: a name or a folder.")] = "hardened",
    split: Annotated[Split, typer.Option(help="validation: those held out; test: all, logged.")] = Split.validation,
    each: Annotated[int, typer.Option(min=1, help="Other people who hold a person's half.")] = 7,
    engine: Annotated[str, typer.Option(help="What answers.")] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Put halves of photographs before other people's faces, and count whom the policy says that it sees."""
    cli.check_writable(json_file)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    people = people_of_split(recogniser, read_people(data, allow_single=True, aligned=aligned), split)
    crops, labels = labelled(people, recogniser)
    wearers, printed = drawn(labels, each, seed)
    with counted_bars() as tick:
        found = {
            half: figures_of(recogniser, spliced(crops[wearers], crops[printed], half), labels, wearers, printed, tick)
            for half in HALVES
        }
    if split is Split.test:
        log_look(TEST_LOG, {half: dict(figures) for half, figures in found.items()}, command="tools.halves")
    record = {"bundle": bundle, "engine": recogniser.engine, "zones": list(recogniser.zones), "split": str(split)}
    cli.write_json(json_file, {**record, **measured_by("tools.halves"), **found})
    for half, figures in found.items():
        for what, figure in figures.items():
            words = what.replace("_", " ")
            cli.console.print(f"{half} half, {words}: {percent(figure)}", highlight=False)  # type: ignore[arg-type]


def drawn(labels: Labels, each: int, seed: int) -> tuple[Labels, Labels]:
    """Places (N,) of the faces that hold a half, and (N,) of the photographs: ``each`` other people hold everybody's.

    Raises:
        BadInput: there are not so many others.
    """
    random, people = np.random.default_rng(seed), np.unique(labels)
    if each >= len(people):
        raise BadInput(f"--each {each}: there are {len(people)} people, so at most {len(people) - 1} others")
    wearers, printed = [], []
    for person in people:
        for other in random.choice(people[people != person], each, replace=False):
            wearers.append(random.choice(np.flatnonzero(labels == other)))
            printed.append(random.choice(np.flatnonzero(labels == person)))
    return np.array(wearers), np.array(printed)


def spliced(faces: Bytes, photographs: Bytes, half: Half) -> Bytes:
    """(N, S, S, 3) twice -> (N, S, S, 3): the faces with the photographs' lower or upper half before them."""
    middle, found = faces.shape[1] // 2, faces.copy()
    rows = slice(middle, None) if half == "lower" else slice(None, middle)
    found[:, rows] = photographs[:, rows]
    return found


def figures_of(
    recogniser: Recogniser, crops: Bytes, labels: Labels, wearers: Labels, printed: Labels, tick: Tick
) -> HalfFigures:
    """What the policy says of (N, S, S, 3) spliced faces."""
    found = answers(recogniser, crops, tick, "faces")
    names = np.array(recogniser.labels)
    target, own = names[labels[printed]], names[labels[wearers]]
    raw = names[found.raw.argmax(1)]
    first_view = names[found.views[:, 0].argmax(1)] if recogniser.zones else np.full(len(raw), "")
    known = np.array([one.identity if one.state == "known" else "" for one in found.decisions])
    return {
        "raw_names_the_printed": share(raw == target),
        "first_view_too": share((raw == target) & (first_view == target)),
        "known_as_the_printed": share(known == target),
        "known_rightly": share(known == own),
        "known_as_others": share((known != "") & (known != target) & (known != own)),
        "called_an_attack": share(np.array([one.state == "suspected_attack" for one in found.decisions])),
    }


if __name__ == "__main__":
    cli.run_app(app)

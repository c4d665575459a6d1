"""``tools.train own``: what a trunk is tuned to a gallery's own people with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import realtime.system.command_line as cli
from models.arrays import Floats, Labels
from models.errors import BadInput
from models.files import whole_file
from models.recogniser import load_recogniser
from models.training.recipe import split
from tools.common.bars import counted_bars
from tools.common.options import Aligned
from tools.evaluation.embedded import embeddings_of
from tools.faces.people import read_people
from tools.faces.splits import held_out


def own_vectors(
    data: Annotated[list[Path], typer.Argument(help="The folders of crops that the bundle was made of.")],
    bundle: Annotated[str, typer.Option(help="Bundle with a gallery: a name, or a folder.")],
    out: Annotated[Path, typer.Option(help="The vectors' file (.npz), for tools.train distil.")],
    engine: Annotated[str, typer.Option(help="What embeds.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
) -> None:
    """Write for each picture of the gallery its person's mean face, so that `distil --pictures CROPS` learns these
    people with parts hidden. The pictures held out for validation are left out."""
    recogniser = load_recogniser(bundle, engine, threads=threads)
    if recogniser.gallery is None:
        raise BadInput(f"--bundle {bundle}: knows a closed set of people; give a bundle with a gallery")
    people = read_people(data, allow_single=True, aligned=aligned)
    held_out(recogniser, people)  # they are its folders
    settings = recogniser.bundle.info.training["settings"]
    chosen, _ = split(people.labels, share=settings["validation_share"], seed=settings["seed"])
    with counted_bars() as tick:
        whole = embeddings_of(recogniser, people.crops[chosen], "gallery", tick=tick)[:, 0]
    names = [people.pictures[place].split("/", 1) for place in chosen]
    arrays = {
        "people": np.array([person for person, _ in names]),
        "files": np.array([file for _, file in names]),
        "teacher": means(whole, people.labels[chosen]),
    }
    try:
        with whole_file(out) as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror})") from error
    cli.console.print(f"{out}: {len(names)} pictures of {len(set(people.labels[chosen]))} people")


def means(embeddings: Floats, labels: Labels) -> Floats:
    """(N, D) unit embeddings and whose they are (N,) -> (N, D): of each the unit mean of its person."""
    found = np.empty_like(embeddings)
    for label in np.unique(labels):
        mine = embeddings[labels == label].mean(axis=0)
        found[labels == label] = mine / np.linalg.norm(mine)
    return found

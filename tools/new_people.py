"""People added to a bundle, measured: ``python -m tools.new_people TRAIN TEST --strangers OTHERS --json FILE``.

Some of the bundle's people are taken out of it and added again from few of their training pictures; then those of the
strangers who have most pictures are added. Shown are test pictures of the new people, of those it knew before, and of
everybody else as strangers. Embeddings are kept in ``--work``, so a rerun takes seconds.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated, TypedDict

import numpy as np
import typer

from models.errors import BadInput
from models.recogniser import Recogniser
from tools.common.bars import counted_bars
from tools.common.options import Aligned
from tools.common.provenance import measured_by
from tools.common.report import Proportion, in_hundred
from tools.evaluation.new_people import Drawn, Shown, added, draws_of, only, rightly, without_people
from tools.evaluation.open_set import Faces
from tools.faces.people import People, read_people
from tools.faces.splits import TEST_LOG, known_pictures, log_look
from tools.recognition import faces_of, with_gallery

app = typer.Typer(add_completion=False, help="Measure what becomes of people who are added to a bundle.")

FROM, STRANGERS_FROM = (20, 5, 1), (4, 1)


#: Who was added (names, or how many), how the others fared before, and by the number of pictures what came of it.
Group = TypedDict(
    "Group",
    {
        "people": list[str] | int,
        "others_known_rightly_before": Proportion,
        "from": dict[str, dict[str, Proportion]],
    },
)


class Figures(TypedDict):
    """Of the people who were left out, and of the strangers who were added; ``engine``: what embeds."""

    bundle: str
    bundle_sha256: str
    engine: str
    draws: int
    seed: int
    strangers_people: int
    left_out: Group
    strangers_added: Group


@app.command()
def main(
    train: Annotated[Path, typer.Argument(help="Crops of the bundle's people (tools.prepare) to learn them from.")],
    test: Annotated[Path, typer.Argument(help="Other crops of the same people, to show.")],
    strangers: Annotated[Path, typer.Option(help="Crops of people whom the bundle does not know.")],
    bundle: Annotated[str, typer.Option(help="Bundle with a gallery: a name, a folder.")] = "hardened",
    people: Annotated[int, typer.Option(min=1, help="How many are taken out and added again: every third.")] = 10,
    draws: Annotated[int, typer.Option(min=1, help="How often pictures are drawn to learn from.")] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    work: Annotated[Path, typer.Option(help="Keeps the embeddings; a rerun takes them from there.")] = Path(
        "runs/new_people"
    ),
    engine: Annotated[str, typer.Option(help="What embeds.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Embed, add, show, count."""
    cli.check_writable(json_file)
    recogniser = with_gallery(bundle, engine, threads)
    learnt_from, shown, others = (
        read_people([folder], allow_single=True, aligned=aligned) for folder in (train, test, strangers)
    )
    chosen = _chosen(recogniser, learnt_from, shown, others, people)
    with counted_bars() as tick:
        tests = faces_of(recogniser, shown, "test faces", work, tick)
        rest = faces_of(recogniser, others, "strangers", work, tick)
        learnt_from = learnt_from.of([learnt_from.names.index(name) for name in chosen])
        pictures = faces_of(recogniser, learnt_from, "pictures to learn from", work, tick)
    figures = figures_of(recogniser, pictures, tests, rest, draws, seed)
    told = {"left_out": figures["left_out"], "strangers_added": figures["strangers_added"]}
    log_look(TEST_LOG, told, command="tools.new_people")
    cli.write_json(json_file, {**figures, **measured_by("tools.new_people")})
    _print(figures)


def _chosen(recogniser: Recogniser, train: People, test: People, others: People, count: int) -> list[str]:
    """Every third of the people by name, so many."""
    if lacking := [name for name in test.names if name not in recogniser.labels or name not in train.names]:
        raise BadInput(f"{lacking[0]}: is not in the bundle, or in one folder only; give two folders of its people")
    if known := known_pictures(recogniser, test):
        raise BadInput(f"{known} of the pictures to show are among those that the bundle was made with; give others")
    if both := [name for name in others.names if name in recogniser.labels]:
        raise BadInput(f"--strangers: {both[0]} is in the bundle's gallery; take the folder out")
    chosen = test.names[::3][:count]
    if len(chosen) < count:
        raise BadInput(f"--people {count}: every third of {len(test.names)} people are {len(chosen)}; give fewer")
    return list(chosen)


def figures_of(recogniser: Recogniser, pictures: Faces, tests: Faces, others: Faces, draws: int, seed: int) -> Figures:
    """Everything that is counted; ``pictures`` are of those who are taken out and added again."""
    gallery = recogniser.gallery
    assert gallery is not None
    held = np.bincount(others.labels, minlength=len(others.people))
    many = [int(person) for person in np.flatnonzero(held > max(STRANGERS_FROM))]
    few = [person for person in range(len(others.people)) if person not in many]
    new = [tests.people.index(name) for name in pictures.people]
    old = [person for person in range(len(tests.people)) if person not in new]
    before, strangers = only(tests, old), only(others, few)
    start = without_people(gallery, pictures.people)
    shown = Shown(only(tests, new), before, strangers)

    def drawn(faces: Faces, people: list[int], count: int, rest: bool) -> list[Drawn]:
        return draws_of(faces, people, count, draws, seed, rest=rest)

    return {
        "bundle": recogniser.bundle.info.name,
        "bundle_sha256": recogniser.bundle.checksum,
        "engine": recogniser.engine,
        "draws": draws,
        "seed": seed,
        "strangers_people": len(few),
        "left_out": {
            "people": list(pictures.people),
            "others_known_rightly_before": rightly(recogniser, start, before),
            "from": {
                str(count): added(
                    recogniser, start, pictures, drawn(pictures, [*range(len(pictures.people))], count, False), shown
                )
                for count in FROM
            },
        },
        "strangers_added": {
            "people": len(many),
            "others_known_rightly_before": rightly(recogniser, gallery, tests),
            "from": {
                str(count): added(
                    recogniser, gallery, others, drawn(others, many, count, True), Shown(others, tests, strangers)
                )
                for count in STRANGERS_FROM
            },
        },
    }


def _print(figures: Figures) -> None:
    for group, part in (("left out", figures["left_out"]), ("strangers added", figures["strangers_added"])):
        before = in_hundred(part["others_known_rightly_before"])
        cli.console.print(f"{group}; the others before: {before} % known rightly")
        for count, counted in part["from"].items():
            told = ", ".join(f"{key.replace('_', ' ')} {in_hundred(one, 2)} %" for key, one in counted.items())
            cli.console.print(f"  from {count:>2}: {told}", highlight=False)


if __name__ == "__main__":
    cli.run_app(app)

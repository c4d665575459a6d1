"""How well people are told apart, and strangers from them: ``python -m tools.recognition CROPS --strangers OTHERS``.

Everything is counted from embeddings, made once and kept: each view alone, the policy over all of its views, what is
certified against anything worn inside the cover, people enrolled from few pictures, and galleries of several sizes. Of
a bundle that knows a closed set of people, each view alone.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

import numpy as np
import typer

from models.arrays import Floats
from models.errors import BadInput
from models.gallery.match import Matcher
from models.recogniser import Recogniser, load_recogniser
from tools.common.bars import Tick, counted_bars
from tools.common.options import Aligned
from tools.common.provenance import measured_by
from tools.common.report import Proportion, in_hundred
from tools.evaluation.embedded import embeddings_of
from tools.evaluation.open_set import Faces, from_few_pictures, rates_of
from tools.evaluation.policy_rates import against_gallery_size, policy_figures
from tools.faces.people import People, at_size, read_people
from tools.faces.splits import TEST_LOG, Split, log_look, people_of_split

app = typer.Typer(add_completion=False, help="Measure a bundle's recognition, strangers included.")

FEW, SIZES = (1, 2, 5), (1, 5, 30, 157)
_AT_ONCE = 32  # crops


class Figures(TypedDict):
    """``views``: by the view, and by what is counted; the last two by how many pictures, or people. What comes after
    ``views`` is of bundles with a gallery."""

    bundle: str
    bundle_sha256: str
    engine: str
    known_faces: int
    strangers: int
    strangers_people: int
    views: dict[str, dict[str, Proportion]]
    policy: NotRequired[dict[str, Proportion | float | list[str]]]
    from_few_pictures: NotRequired[dict[str, dict[str, Proportion | int]]]
    strangers_named_by_gallery_size: NotRequired[dict[str, dict[str, Proportion]]]


@app.command()
def main(
    data: Annotated[list[Path], typer.Argument(help="Crops of the bundle's people (tools.prepare).")],
    strangers: Annotated[Path, typer.Option(help="Crops of people whom the bundle does not know.")],
    bundle: Annotated[str | None, typer.Option(help="A name, a folder, or a gallery of people.")] = None,
    split: Annotated[Split, typer.Option(help="validation: those held out of the gallery; test: all, logged.")] = (
        Split.validation
    ),
    work: Annotated[Path, typer.Option(help="Keeps the embeddings; a rerun takes them from there.")] = Path(
        "runs/recognition"
    ),
    engine: Annotated[str, typer.Option(help="What embeds.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Embed, count, and print the tables."""
    cli.check_writable(json_file)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    people = people_of_split(recogniser, read_people(data, allow_single=True, aligned=aligned), split)
    others = read_people([strangers], allow_single=True, aligned=aligned)
    _check_known(recogniser, people, others)
    with counted_bars() as tick:
        if recogniser.gallery is None:
            figures = of_a_closed_set(recogniser, people, others, tick)
        else:
            known = faces_of(recogniser, people, "known faces", work, tick)
            figures = figures_of(recogniser, known, faces_of(recogniser, others, "strangers", work, tick))
    if split is Split.test:
        looked = {"views": figures["views"], "policy": figures.get("policy")}
        log_look(TEST_LOG, looked, command="tools.recognition")
    cli.write_json(json_file, {**figures, "split": str(split), **measured_by("tools.recognition")})
    _print(figures)


def with_gallery(bundle: str | None, engine: str, threads: int) -> Recogniser:
    """The bundle's recogniser.

    Raises:
        BadInput: it knows a closed set of people.
    """
    recogniser = load_recogniser(bundle, engine, threads=threads)
    if recogniser.gallery is None:
        raise BadInput(f"--bundle {bundle}: knows a closed set of people; this command measures bundles with a gallery")
    return recogniser


def faces_of(recogniser: Recogniser, people: People, what: str, work: Path, tick: Tick) -> Faces:
    """The people's faces as embeddings, in the recogniser's order of names where it knows them."""
    found = embeddings_of(recogniser, people.crops, what, work=work, tick=tick)
    return Faces(found, people.labels, people.names, people.pictures)


def figures_of(recogniser: Recogniser, known: Faces, strangers: Faces) -> Figures:
    """Everything that is counted, from embeddings alone."""
    bundle, gallery = recogniser.bundle, recogniser.gallery
    assert gallery is not None
    assert bundle.cohort is not None
    assert bundle.info.embedding is not None
    cohort, scale = bundle.cohort, bundle.info.embedding.scale
    matcher = Matcher(gallery, cohort, scale)
    place = np.array([gallery.labels.index(name) for name in known.people])
    labels = place[known.labels]
    views = {}
    for view, name in enumerate(("whole", *gallery.views)):
        given, others = (matcher.probabilities(each.embeddings[:, view], view) for each in (known, strangers))
        views[name] = rates_of(given, labels, others)
    return {
        **_counted(recogniser, len(labels), len(strangers.labels), len(strangers.people), views),
        "policy": policy_figures(recogniser, known.embeddings, labels, strangers),
        "from_few_pictures": from_few_pictures(strangers, cohort, scale, FEW, like=gallery),
        "strangers_named_by_gallery_size": against_gallery_size(
            recogniser.policy, strangers, cohort, scale, SIZES, like=gallery
        ),
    }


def of_a_closed_set(recogniser: Recogniser, known: People, strangers: People, tick: Tick) -> Figures:
    """Each view alone, from what the network gives for the names that it was trained on."""
    given, others = (_every_view(recogniser, each, tick) for each in (known, strangers))
    labels = np.array([recogniser.labels.index(name) for name in known.names])[known.labels]
    names = ("whole", *recogniser.zones)
    views = {name: rates_of(given[:, view], labels, others[:, view]) for view, name in enumerate(names)}
    return _counted(recogniser, len(labels), len(strangers.labels), len(strangers.names), views)


def _every_view(recogniser: Recogniser, people: People, tick: Tick) -> Floats:
    """(N, 1 + V, K)."""
    found = []
    for first in range(0, len(people), _AT_ONCE):
        crops = at_size(people.crops[first : first + _AT_ONCE], recogniser.input_size)
        found.append(np.concatenate([recogniser.classify(crops)[:, None], recogniser.view(crops)], axis=1))
        tick("faces", first + len(crops), len(people))
    return np.concatenate(found)


def _counted(
    recogniser: Recogniser, known: int, strangers: int, strangers_people: int, views: dict[str, dict[str, Proportion]]
) -> Figures:
    return {
        "bundle": recogniser.bundle.info.name,
        "bundle_sha256": recogniser.bundle.checksum,
        "engine": recogniser.engine,
        "known_faces": known,
        "strangers": strangers,
        "strangers_people": strangers_people,
        "views": views,
    }


def _check_known(recogniser: Recogniser, people: People, others: People) -> None:
    missing = [name for name in people.names if name not in recogniser.labels]
    if missing:
        raise BadInput(f"the bundle does not know {', '.join(missing[:3])}; it knows {len(recogniser.labels)} people")
    both = [name for name in others.names if name in recogniser.labels]
    if both:
        raise BadInput(f"--strangers: {both[0]} is among the bundle's people; take the folder out")


def _print(figures: Figures) -> None:
    cli.console.print(f"{figures['known_faces']} known faces, {figures['strangers']} of strangers; right, DIR at 1 %:")
    for name, view in figures["views"].items():
        both = (in_hundred(view[column]) for column in ("right", "dir_at_0.01"))
        cli.console.print(f"  {name:12} {' '.join(f'{share:>6}' for share in both)}", highlight=False)
    for name, figure in figures.get("policy", {}).items():
        if isinstance(figure, dict) and figure["share"] is not None:
            cli.console.print(f"  {name:52} {in_hundred(figure):>6}  n = {figure['n']}", highlight=False)


if __name__ == "__main__":
    cli.run_app(app)

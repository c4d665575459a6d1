"""Finds a bundle's certified policy: ``python -m tools.certify find CROPS --strangers OTHERS``.

With it (``defence: certified: true``) nothing that is worn in one place, anywhere inside the cover, makes anybody
known, on a stated share of the people's faces and of the strangers'. See ``tools.tuning.certified``. Neither the faces
nor the strangers may be those that a figure is measured on: ``report`` does that.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from models.bundle import PolicyInfo
from models.crop.zones import COVER
from models.errors import BadInput
from models.recogniser import load_recogniser
from tools.common.bundles import rewrite
from tools.common.options import Aligned, KeptEmbeddings
from tools.common.provenance import measured_by
from tools.crafting.attacked_faces import labelled, nobody
from tools.faces.people import at_size, read_people
from tools.faces.splits import CALIBRATED, TEST_LOG, Half, Split, held_out, log_look, people_of_split
from tools.tuning.certified import Point, certified, curve, point
from tools.tuning.policy import strangers_of, views_of

app = typer.Typer(add_completion=False, help="Find the policy that no single worn thing passes.")


@app.command()
def find(
    data: Annotated[list[Path], typer.Argument(help="The folders that the bundle was trained on (tools.prepare).")],
    strangers: Annotated[Path, typer.Option(help="Folder of other people's aligned crops.")],
    bundle: Annotated[str, typer.Option(help="Bundle: a name or a folder.")] = "hardened",
    least: Annotated[float, typer.Option(min=0, max=1, help="Share of either group to be certified.")] = 0.9,
    every_stranger: Annotated[
        bool, typer.Option(help="Use all of them and not every second one: none is measured on.")
    ] = False,
    work: KeptEmbeddings = None,
    write: Annotated[bool, typer.Option(help="Write the policy into the bundle (or only report).")] = True,
    engine: Annotated[str, typer.Option(help="What answers.")] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Look at all faces with each zone of the cover hidden; print what each floor buys and costs."""
    cli.check_writable(json_file)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    recogniser.zones = COVER
    crops, labels = labelled(held_out(recogniser, read_people(data, allow_single=True, aligned=aligned)), recogniser)
    others, used = strangers_of(recogniser, strangers, None if every_stranger else Half.calibration, 10**6, 0)
    if min(len(crops), len(others)) == 0:
        raise BadInput("no face was held out, or no stranger is new to the bundle: give other folders")
    clean = views_of(recogniser, crops, labels, "validation", work=work, quick=True)
    unknown = views_of(recogniser, others, nobody(len(others)), "strangers", work=work, quick=True)
    policy = certified(recogniser.policy, clean, unknown, least)
    found, points = point(policy, clean, unknown), curve(recogniser.policy, clean, unknown)
    record = {
        "source": "tools.certify on validation faces",
        **measured_by("tools.certify"),
        "least": least,
        CALIBRATED: list(used),
    }
    _print([*points, found])
    cli.write_json(json_file, {"bundle": recogniser.bundle.info.name, **record, "found": found, "curve": points})
    if write:
        taken = PolicyInfo(**asdict(policy), zones=COVER, record=record | {"found": found})
        rewrite(recogniser.bundle.folder, recogniser.bundle.info.model_copy(update={"certified": taken}))


@app.command()
def report(
    data: Annotated[list[Path], typer.Argument(help="Test crops of the bundle's people; the look is logged.")],
    strangers: Annotated[Path, typer.Option(help="Folder of further people's aligned crops.")],
    bundle: Annotated[str, typer.Option(help="Bundle with a certified policy: a name or a folder.")] = "hardened",
    work: KeptEmbeddings = None,
    engine: Annotated[str, typer.Option(help="What answers.")] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Measure the bundle's certified policy on people whom nothing was found with."""
    cli.check_writable(json_file)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    recogniser.certify()
    people = people_of_split(recogniser, read_people(data, allow_single=True, aligned=aligned), Split.test)
    crops, labels = labelled(people, recogniser)
    folk = read_people([strangers], allow_single=True, aligned=True)
    others = at_size(folk.crops, recogniser.input_size)
    known = views_of(recogniser, crops, labels, "known faces", work=work, quick=True)
    unknown = views_of(recogniser, others, nobody(len(others)), "strangers", work=work, quick=True)
    found = point(recogniser.policy, known, unknown, people=[folk.names[label] for label in folk.labels])
    log_look(TEST_LOG, {"certified": dict(found)}, command="tools.certify")
    figures = {"bundle": recogniser.bundle.info.name, "engine": recogniser.engine, "zones": list(recogniser.zones)}
    cli.write_json(json_file, {**figures, **measured_by("tools.certify"), "test": found})
    _print([found])


def _print(points: list[Point]) -> None:
    cli.console.print("floor   certified: people, strangers   known: rightly, strangers", highlight=False)
    for one in points:
        shares = [one["certified_people"], one["certified_strangers"]]
        shares += [one["people"]["known_rightly"], one["strangers"]["known_wrongly"]]
        words = "  ".join(f"{100 * (figure['share'] or 0):6.1f} %" for figure in shares)
        cli.console.print(f"{one['floor']:5.3f}   {words}", highlight=False)


if __name__ == "__main__":
    cli.run_app(app)

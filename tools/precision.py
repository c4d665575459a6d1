"""Measures what engines in 8 bits or half precision cost, and stores in the bundle which are accepted.

Each decides on the same faces as float32, as it is decided live: the held-out ones of the training folders, attacked
ones crafted against the float32 network, and strangers. An engine is accepted where at most one known face fewer is
rightly known, none more is known as whom it attacks, and at most one stranger more is named.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

import numpy as np
import onnx
import typer
from rich.table import Table

from models.bundle import Bundle, load_bundle
from models.engines import make_engine
from models.engines.graphs import some_rows
from models.errors import BadInput
from models.graphs.int8 import measure_ranges
from models.recogniser import Recogniser
from tools.attacks.settings import Settings
from tools.common.bars import Tick, counted_bars
from tools.common.bundles import rewrite
from tools.common.options import Aligned, Bfloat16
from tools.common.provenance import command_line, commit_of_this_tree
from tools.common.report import percent
from tools.crafting.attacked_faces import attacked_faces, labelled, nobody
from tools.evaluation.beside import Compared, Faces, accepted, answers, compared
from tools.faces.people import People, at_size, read_people
from tools.faces.splits import held_out
from tools.tuning.ranges import fitted_ranges, with_int8

app = typer.Typer(add_completion=False, help=__doc__)

REFERENCE = "onnxruntime-cpu"
#: What is measured in the place of an engine that this processor cannot run: equal in what it rounds.
STANDS_FOR = {"onnxruntime-bf16": ("onnxruntime-bf16", "openvino-bf16")}


class OfEngine(TypedDict):
    """What an engine runs as, what it costs, and what it does on further people, which decides nothing."""

    runs: str
    accepted: bool
    clean: NotRequired[Compared]
    attacked: NotRequired[Compared]
    strangers: NotRequired[Compared]
    reported: NotRequired[Compared]


class Precision(TypedDict):
    bundle: str
    engines: dict[str, OfEngine]
    accepted: list[str]


def with_ranges(bundle: Bundle, people: People, measured_on: People, count: int = 40, threads: int = 2) -> Bundle:
    """The bundle with ranges from its training crops (none of which is measured on), in memory only."""
    used = set(measured_on.pictures)
    rest = np.array([index for index, picture in enumerate(people.pictures) if picture not in used])
    chosen = np.random.default_rng(0).permutation(rest)
    first, further = chosen[:count], chosen[count : 4 * count]
    crops, others = (
        at_size(people.crops[np.sort(some)], bundle.info.input_size)
        for some in (first, further if further.size else first)
    )
    classifier = onnx.load(str(bundle.classifier_path))
    ranges = measure_ranges(classifier, bundle.info.trunk.spec, crops, some_rows(bundle))
    learnt = bundle.info.calibration.get("int8", {}).get("learnt")
    if not learnt:  # what a training has learnt holds in their place
        ranges = fitted_ranges(bundle, ranges, others, threads=threads)
    rounded = {name: float(f"{value:.5g}") for name, value in ranges.items()}
    return with_int8(bundle, {"ranges": rounded, "crops": len(crops), **({"learnt": learnt} if learnt else {})})


@dataclass(frozen=True)
class Plan:
    """What is measured on: ``attacks`` faces attacked in ``steps``, kept in ``folder``; 0: none."""

    attacks: int
    steps: int
    folder: Path
    threads: int = 2
    half_precision: bool = False


def measure(
    bundle: Bundle,
    people: People,
    engines: Sequence[str],
    plan: Plan,
    *,
    strangers: People | None = None,
    reported: People | None = None,
    tick: Tick | None = None,
) -> tuple[Bundle, Precision]:
    """Each engine against float32; the bundle comes back with ranges and verdict in its calibration record.

    Ranges that a training has learnt hold. ``reported``: other known people, counted and not judged by.

    Raises:
        BadInput: no such engine, or it cannot run here; told before the attacked faces are made.
    """
    reference = _recogniser(bundle, REFERENCE, plan.threads)
    clean = held_out(reference, people)
    prepared = with_ranges(bundle, people, clean, threads=plan.threads)
    recognisers = {name: _recogniser(prepared, name, plan.threads) for name in engines}
    sets = {"clean": _known(clean, reference)}
    if strangers is not None:
        crops = at_size(strangers.crops, reference.input_size)
        sets["strangers"] = Faces(crops, nobody(len(crops)), nobody(len(crops)))
    if plan.attacks:
        settings = Settings(steps=plan.steps, half_precision=plan.half_precision)
        made = attacked_faces(reference, clean, settings, plan.attacks, plan.folder, name="precision", tick=tick)
        sets["attacked"] = Faces(made.adversarial, made.labels, made.targets)
    if reported is not None:
        sets["reported"] = _known(reported, reference)
    wanted = {kind: answers(reference, faces.crops, tick, f"{REFERENCE}, {kind}") for kind, faces in sets.items()}
    results: dict[str, OfEngine] = {}
    for name, recogniser in recognisers.items():
        found = {
            kind: compared(
                answers(recogniser, faces.crops, tick, f"{name}, {kind}"), wanted[kind], faces, reference.labels
            )
            for kind, faces in sets.items()
        }
        results[name] = OfEngine(runs=recogniser.engine, accepted=accepted(found), **found)  # type: ignore[typeddict-item]
    passed = [alike for name, one in results.items() if one["accepted"] for alike in STANDS_FOR.get(name, (name,))]
    record = {**prepared.info.calibration["int8"], "accepted": passed, "measured": results}
    return with_int8(bundle, record), {"bundle": bundle.info.name, "engines": results, "accepted": passed}


def _recogniser(bundle: Bundle, engine: str, threads: int) -> Recogniser:
    return Recogniser(bundle, make_engine(engine, bundle, threads=threads))


def _known(people: People, recogniser: Recogniser) -> Faces:
    crops, labels = labelled(people, recogniser)
    return Faces(crops, labels, nobody(len(labels)))


@app.command()
def main(  # noqa: PLR0913 - a command's options
    crops: Annotated[list[Path], typer.Argument(help="The prepared folders that the bundle was trained on.")],
    strangers: Annotated[Path | None, typer.Option(help="Crops of others; none: then nothing is accepted.")] = None,
    report: Annotated[Path | None, typer.Option(help="Further crops of known people: counted, not judged by.")] = None,
    bundle: Annotated[str | None, typer.Option("--bundle", help="Name or folder; none: the embedded one.")] = None,
    engine: Annotated[list[str] | None, typer.Option("--engine", help="Engines to measure.")] = None,
    attacks: Annotated[
        int, typer.Option("--attacks", min=0, help="Attacked faces; 0: none, then nothing is accepted.")
    ] = 60,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of the attack.")] = 300,
    folder: Annotated[Path, typer.Option("--out", help="Attacked faces are kept here.")] = Path("runs/precision"),
    half_precision: Bfloat16 = False,
    threads: Annotated[int, typer.Option("--threads", min=1)] = 2,
    aligned: Aligned = False,
    store: Annotated[bool, typer.Option("--store", help="Write ranges and verdict into the bundle.")] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Compare engines in 8 bits or half precision with float32 on known faces, attacked faces and strangers."""
    cli.check_writable(json_file)
    opened = load_bundle(bundle)
    if store and not (attacks and strangers):
        raise BadInput("--store keeps a verdict, which takes attacked faces and strangers: give --strangers FOLDER")
    people = read_people(crops, allow_single=True, aligned=aligned)
    others = None if strangers is None else read_people([strangers], allow_single=True, aligned=aligned)
    further = None if report is None else read_people([report], allow_single=True, aligned=aligned)
    plan = Plan(attacks, steps, folder, threads, half_precision)
    with counted_bars() as tick:
        measured, result = measure(
            opened, people, engine or ["onnxruntime-int8"], plan, strangers=others, reported=further, tick=tick
        )
    facts = {"command": command_line("tools.precision"), "commit": commit_of_this_tree()}
    cli.write_json(json_file, {**result, **facts})
    cli.console.print(_table(result))
    cli.console.print(f"accepted for engine: auto: {', '.join(result['accepted']) or 'none'}")
    if store:
        rewrite(opened.folder, measured.info)


def _table(result: Precision) -> Table:
    table = Table("engine", "faces", "n", "known", "right", "target", "first names changed", "same decisions")
    for name, found in result["engines"].items():
        rows = (("clean", found.get("clean")), ("attacked", found.get("attacked")))
        for kind, row in (*rows, ("strangers", found.get("strangers")), ("reported", found.get("reported"))):
            if row is None:
                continue
            counts, before = row["counts"], row["reference_counts"]
            shown = [f"{counts[what]} ({counts[what] - before[what]:+d})" for what in ("known", "right", "target")]
            changed = str(row["first_names_changed"])
            table.add_row(name, kind, str(row["n"]), *shown, changed, percent(row["same_decisions"]))
    return table


if __name__ == "__main__":
    cli.run_app(app)

"""Finds the saliency mask's parameters: ``python -m tools.tune_defence CROPS --bundle BUNDLE``.

A grid search over threshold (mu), iterations (n), smallest area (phi), percentile and fill by the goodness
score of Hayes 2018, on validation faces only, attacked with glasses made on validation faces. Everything is
kept in ``--work``, so an interrupted search goes on where it stopped. The winner goes into the bundle.

What takes the time, measured on two busy cores at 112 (60 pairs, 640 combinations): crafting the attacks two
thirds (0.18 s per picture and step; hence 150 steps by default), classifying 10,300 distinct masks 350 s. With
``--merge 0.004`` the coarse grid's goodness was off by up to 0.017, hence the finer default.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import datetime
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from models.arrays import Bytes, Floats, Labels
from models.bundle import Bundle, DefenceInfo, load_bundle
from models.crop.wearables import WEARABLES, things
from models.errors import BadInput, refuse_unknown
from models.recogniser import Recogniser, load_recogniser
from models.saliency_mask import MaskParameters
from models.training.calibration import calibrate
from models.training.device import torch_device
from tools.attacks.settings import Settings
from tools.common.bundles import rewrite
from tools.common.narrow import narrow
from tools.common.options import Aligned, Bfloat16, Device
from tools.common.progress import Tick, ticking
from tools.common.provenance import command_line, commit_of_this_tree
from tools.crafting.attacked_faces import Attacked, attacked_faces, labelled
from tools.faces.people import People, read_people
from tools.faces.splits import held_out
from tools.fan_out.fan import fanned_out
from tools.fan_out.option import Ray, WithRay
from tools.tuning.answers import Answers
from tools.tuning.grid import Axes, coarse_axes, in_words
from tools.tuning.report import OBJECTIVES, markdown, plot_surface, rows_of
from tools.tuning.search import Faces, Found, Record, Row, search
from tools.tuning.transfer import Matrix, transfer_matrix, transfer_table

#: What the transfer matrix compares: attack and wearable.
KINDS = {
    "glasses": ("sharif", "classic"),
    "wide glasses": ("sharif", "wide"),
    "sunglasses": ("sharif", "sunglasses"),
    "patch": ("lavan", "patch"),
    "forehead sticker": ("pgd", "forehead_sticker"),
    "face mask": ("pgd", "face_mask"),
    "rectangle": ("pgd", "rectangle"),
}

REPORT = "report.json"
TABLE = "table.md"
SURFACES = {objective: f"surface_{objective}.png" for objective in OBJECTIVES}
app = typer.Typer(add_completion=False, help="Tune the saliency mask on validation faces.")


class Report(Record):
    """A search, ready for JSON; ``rows``: see ``rows_of``, ``surface``: the whole coarse grid, for other programs."""

    command: str
    commit: str
    date: str
    bundle: dict[str, str]
    engine: str
    seed: int
    attack: dict[str, object]
    axes: dict[str, object]
    calibration: dict[str, object]
    seconds: float
    on_the_edge: list[str]
    rows: dict[str, Row]
    transfer: Matrix | None
    surface: list[dict[str, object]]


@app.command(cls=WithRay)
def main(  # noqa: PLR0913 - a command's options
    data: Annotated[list[Path], typer.Argument(help="The folders that the bundle was trained on (tools.prepare).")],
    bundle: Annotated[str, typer.Option(help="Bundle: a name or a folder.")] = "plain",
    into: Annotated[Path | None, typer.Option(help="Write the winner into a copy of the bundle here.")] = None,
    write: Annotated[bool, typer.Option(help="Write the winner into the bundle (or only report).")] = True,
    work: Annotated[Path, typer.Option(help="Keeps attacks, answers, tables; a rerun goes on.")] = Path("runs/tune"),
    shape: Annotated[str, typer.Option(help=f"What the attackers wear: {', '.join(WEARABLES)}.")] = "classic",
    steps: Annotated[int, typer.Option(min=0, help="Most updates of the attack.")] = 150,
    coarse_faces: Annotated[int, typer.Option(min=1, help="Clean and attacked faces for the coarse grid.")] = 40,
    faces: Annotated[int, typer.Option(min=2, help="Clean and attacked faces for the best of it.")] = 120,
    best: Annotated[int, typer.Option(min=2, help="Combinations that reach the second stage.")] = 40,
    merge: Annotated[
        float, typer.Option(min=0, max=0.05, help="Coarse grid: masks this near (share of the crop) share an answer.")
    ] = 0.002,
    quick: Annotated[bool, typer.Option("--quick", help="12 and 24 faces, 100 steps, the best 10.")] = False,
    transfer: Annotated[int, typer.Option(min=0, help="Pairs per kind of perturbation for the matrix.")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    engine: Annotated[str, typer.Option(help="What answers.")] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    half_precision: Bfloat16 = False,
    device: Device = "auto",
    ray: Ray = None,
    json_file: cli.JsonFile = None,
) -> None:
    """Search, report, write the winner into the bundle."""
    cli.check_writable(json_file)
    refuse_unknown("--shape", *things(shape), known=WEARABLES)
    if quick:
        coarse_faces, faces, best, steps = 12, 24, 10, min(steps, 100)
    started = time.perf_counter()
    torch.set_num_threads(threads)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    people = held_out(recogniser, read_people(data, allow_single=True, aligned=aligned))
    settings = Settings(attack="sharif", shape=shape, steps=steps, seed=seed, half_precision=half_precision)
    begun(work)
    where = torch_device(device)
    with fanned_out(ray, engine, threads, where) as fan, ticking() as tick:
        craft = partial(attacked_faces, recogniser, people, folder=work / "attacks", device=where, tick=tick, fan=fan)
        attacked = craft(settings, most := max(faces, coarse_faces), name="tuning")
        if len(attacked) < faces:
            cli.console.print(f"only {len(attacked)} pairs can be drawn from {len(people)} validation crops")
        calibration, temperature = calibrated(recogniser, people)
        answers = Answers(recogniser, work / "answers", temperature=temperature, fan=fan)
        own, published = recogniser.mask_parameters, MaskParameters.published(recogniser.input_size)
        axes = coarse_axes(recogniser.input_size)
        found = search(
            answers,
            faces_of(recogniser, people, attacked, most, seed),
            axes,
            always=list(dict.fromkeys([published, own])),
            coarse_faces=coarse_faces,
            best=best,
            merge=merge,
            tick=tick,
        )
        matrix = transferred(craft, recogniser, people, answers, axes, settings, transfer, tick) if transfer else None
    report: Report = {
        "command": command_line("tools.tune_defence"),
        "commit": commit_of_this_tree(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "bundle": {"name": recogniser.bundle.info.name, "checksum": recogniser.bundle.checksum},
        "engine": recogniser.engine,
        "seed": seed,
        "attack": asdict(settings) | {"pairs": len(attacked)},
        "axes": asdict(axes),
        "calibration": calibration,
        "seconds": round(time.perf_counter() - started, 1),
        **found.record(),
        "on_the_edge": axes.edges(found.fine.combinations[found.winner]),
        "rows": rows_of(found, published, own),
        "transfer": matrix,
        "surface": surface(found),
    }
    written(report, found, axes, published, work)
    if write or into is not None:
        target = stored(recogniser.bundle, found, report, into)
        cli.console.print(f"{target}: defends with {in_words(found.fine.combinations[found.winner])}")
    cli.write_json(json_file, report)
    cli.console.print(f"tables, heat maps and report.json in {work}, {report['seconds']:.0f} s")


def begun(work: Path) -> None:
    """Forget the report of an earlier run: it comes last, and a folder without one is not finished."""
    for earlier in (REPORT, TABLE, *SURFACES.values()):
        (work / earlier).unlink(missing_ok=True)


def drawn_clean(recogniser: Recogniser, people: People, count: int, seed: int) -> tuple[Bytes, Labels]:
    """``count`` clean crops, each equally likely, classified correctly or not."""
    chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(people))[:count])
    return labelled(people.subset(chosen), recogniser)


def faces_of(recogniser: Recogniser, people: People, attacked: Attacked, count: int, seed: int) -> Faces:
    """``count`` clean crops and the attacked ones."""
    clean = drawn_clean(recogniser, people, count, seed)
    return Faces(*clean, attacked.adversarial, attacked.labels, attacked.targets)


def calibrated(recogniser: Recogniser, people: People) -> tuple[dict[str, object], float]:
    """The temperature that the validation crops ask for, and the one to apply: 1 if the bundle is calibrated.

    Goodness is made of confidences; without this a recogniser could raise it by being surer than it may be.
    """
    crops, labels = labelled(people, recogniser)
    scores: Floats = np.concatenate([recogniser.classify(crops[i : i + 16]) for i in range(0, len(crops), 16)])
    found = calibrate(np.log(np.maximum(scores, 1e-30)), labels)
    folded = bool(recogniser.bundle.info.calibration)
    temperature = 1.0 if folded else found.temperature
    return {**asdict(found), "folded_into_the_bundle": folded, "applied": temperature}, temperature


def transferred(
    craft: Callable[..., Attacked],
    recogniser: Recogniser,
    people: People,
    answers: Answers,
    axes: Axes,
    settings: Settings,
    pairs: int,
    tick: Tick,
) -> Matrix:
    """The transfer matrix over ``KINDS``, ``pairs`` of each, made with ``settings`` but another seed."""
    seed = settings.seed + 1
    kinds: dict[str, Attacked] = {
        name: craft(replace(settings, attack=attack, shape=shape, seed=seed), pairs, name=name)
        for name, (attack, shape) in KINDS.items()
    }
    clean, labels = drawn_clean(recogniser, people, pairs, seed)
    combinations = [*axes.combinations(), MaskParameters.published(recogniser.input_size)]
    return transfer_matrix(answers, clean, labels, kinds, combinations, tick=tick)


def surface(found: Found) -> list[dict[str, object]]:
    """The whole coarse grid."""
    return [
        asdict(one) | terms.rounded() for one, terms in zip(found.coarse.combinations, found.coarse.terms, strict=True)
    ]


def written(report: Report, found: Found, axes: Axes, published: MaskParameters, work: Path) -> None:
    """report.json, table.md and the heat maps."""
    winner = found.fine.combinations[found.winner]
    marks = {f"best, {winner.fill} fill": winner, "published": published}
    for objective, name in SURFACES.items():
        plot_surface(found.coarse, axes, objective, marks, work / name)
    text = markdown(report["rows"]) + "\n"
    lead = report.get("lead")
    interval = report["goodness_interval"]
    text += f"\nGoodness {interval['value']:.4f} (95 % {interval['low']:.4f}-{interval['high']:.4f}, bootstrap)"
    if lead is not None:
        text += f"; lead over the runner-up {lead['value']:.4f} ({lead['low']:.4f} to {lead['high']:.4f})"
    text += ".\n"
    if report["on_the_edge"]:
        text += f"The winner lies on the edge of the grid: {', '.join(report['on_the_edge'])}.\n"
    if report["transfer"] is not None:
        text += "\n" + transfer_table(report["transfer"]) + "\n"
    cli.write_whole(work / TABLE, text.encode())
    cli.write_json(work / REPORT, report)
    cli.console.print(narrow(text, cli.console.width), markup=False, highlight=False)


def stored(bundle: Bundle, found: Found, report: Report, into: Path | None) -> Path:
    """Write the winner with its record into the bundle, or into a copy of it.

    Raises:
        BadInput: it cannot be written.
    """
    folder = bundle.folder
    if into is not None and into.resolve() != folder.resolve():
        try:
            into.mkdir(parents=True, exist_ok=True)
            for name in bundle.info.sha256:
                shutil.copyfile(folder / name, into / name)
        except OSError as error:
            raise BadInput(f"--into {into}: cannot be written ({error.strerror})") from error
        folder = into
    told: Mapping[str, object] = report
    row = report["rows"]["best goodness"]
    kept = ["date", "commit", "seed", "engine", "attack", "calibration", "goodness_interval", "runner_up", "lead"]
    kept += ["on_the_edge", "combinations"]
    record: dict[str, object] = {"source": "tools.tune_defence, grid search by goodness on validation faces"}
    record |= {key: told[key] for key in kept if key in told}
    record |= {key: value for key, value in row.items() if key != "parameters"}
    defence = DefenceInfo(**asdict(found.fine.combinations[found.winner]), record=record)
    rewrite(folder, bundle.info.model_copy(update={"defence": defence}), otherwise="; give --into FOLDER")
    load_bundle(folder)
    return folder


if __name__ == "__main__":
    cli.run_app(app)

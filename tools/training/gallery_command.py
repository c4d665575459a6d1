"""``tools.train gallery``: a bundle of a network that embeds faces, with its people and its cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

import realtime.system.command_line as cli
from models.crop.zones import ZONES, checked_zones
from tools.common import report
from tools.common.bars import counted_bars
from tools.common.options import Aligned
from tools.common.provenance import command_line
from tools.faces.crop_sources import open_source
from tools.faces.people import read_people
from tools.training.gallery_bundle import GalleryJob, gallery_bundle


def gallery(  # noqa: PLR0913 - a command's options
    data: Annotated[list[Path], typer.Argument(help="Folders with a folder of crops per person (tools.prepare).")],
    network: Annotated[Path, typer.Option(help="What embeds faces: the .npz of a training, or a bundle's folder.")],
    cohort: Annotated[
        list[Path], typer.Option(help="Other people's aligned crops: folders, or .npz of packed crops; repeatable.")
    ],
    out: Annotated[Path, typer.Option(help="The bundle's folder.")],
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "hardened",
    zone: Annotated[
        list[str] | None, typer.Option(help=f"Views, each without one of {', '.join(ZONES)}; eyewear, lower_face.")
    ] = None,
    cohort_size: Annotated[int, typer.Option(min=1, help="Crops of the cohort.")] = 1000,
    strangers: Annotated[
        Path | None, typer.Option(help="Folder of yet other people's crops: the temperature is found with them too.")
    ] = None,
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="Share of each person's pictures to validate on.")] = (
        0.2
    ),
    most: Annotated[int | None, typer.Option(min=1, help="Pictures of a person in the gallery, at most.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.001, help="Given instead of found.")] = None,
    like: Annotated[str, typer.Option(help="Bundle whose saliency mask is taken over.")] = "plain",
    input_size: Annotated[int, typer.Option(min=32, max=1024, help="Side of the crops; a bundle says itself.")] = 112,
    engine: Annotated[str, typer.Option(help="What embeds.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of what is drawn.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Keeps the embeddings; a rerun takes them from there.")] = None,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Embed people and a cohort and write a bundle; nothing is trained. tools.tune_policy finds its thresholds."""
    cli.check_writable(json_file)
    torch.set_num_threads(threads)
    job = GalleryJob(
        network=network,
        views=checked_zones(zone or ["eyewear", "lower_face"]),
        cohort=[open_source(path) for path in cohort],
        cohort_size=cohort_size,
        like=like,
        input_size=input_size,
        held_out=held_out,
        most=most,
        temperature=temperature,
        engine=engine,
        threads=threads,
        seed=seed,
        work=work,
        command=command_line("tools.train"),
    )
    people = read_people(data, allow_single=True, aligned=aligned)
    others = None if strangers is None else read_people([strangers], allow_single=True, aligned=True)
    with counted_bars() as tick:
        outcome = gallery_bundle(people, others, job, out, name=name, tick=tick)
    cli.write_json(json_file, outcome.record())
    for view in ("whole", *job.views):
        told = ", ".join(f"{kind.replace('_', ' ')} {report.percent(one)}" for kind, one in outcome.views[view].items())
        cli.console.print(f"{view.replace('_', ' ')}: {told}", highlight=False)
    cli.console.print(f"{out}: {outcome.people} people, temperature {outcome.temperature}")

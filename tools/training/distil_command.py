"""``tools.train distil``: a trunk that places faces where teachers place them, whatever part of the face is hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

import realtime.system.command_line as cli
from models.arrays import Bytes, Floats, read_arrays
from models.crop.zones import COVER, ZONES, checked_zones
from models.errors import BadInput
from models.network.vgg16 import VGG16
from models.training.device import torch_device
from models.training.distil import DistilSettings, Record, changed, distil
from models.training.slim import slimmed
from models.training.trunks import read_network, write_network
from tools.common.options import Bfloat16, Device
from tools.common.provenance import command_line
from tools.faces.crop_sources import CropSource, every_crop, open_source
from tools.faces.people import read_crop

_FITTED_ON = 640  # crops that a slim network is fitted on
SIDE = 128  # of the crops that are kept for training: room for shifts


def distil_trunk(  # noqa: PLR0913 - a command's options
    packs: Annotated[list[Path], typer.Argument(help=".npz of packed crops with the teachers' vectors (`teacher`).")],
    start: Annotated[Path, typer.Option(help="What embeds faces today: the .npz of a training, or a bundle's folder.")],
    out: Annotated[Path, typer.Option(help="The network's file (.npz); tools.train gallery makes a bundle of it.")],
    pictures: Annotated[
        Path | None, typer.Option(help="Folder with the crops of packs that hold vectors only: person/file.")
    ] = None,
    crops: Annotated[int, typer.Option(min=64, help="How many changed crops are seen.")] = 1_000_000,
    learning_rate: Annotated[float, typer.Option(min=0)] = DistilSettings.learning_rate,
    trunk_share: Annotated[
        float, typer.Option(min=0, max=1, help="The convolutions' share of the learning rate.")
    ] = DistilSettings.trunk_share,
    batch: Annotated[int, typer.Option(min=2)] = DistilSettings.batch,
    first_block: Annotated[int, typer.Option(min=1, max=5, help="Blocks before it stay.")] = DistilSettings.first_block,
    slim: Annotated[int, typer.Option(min=1, max=8, help="Begin by keeping one of that many of VGG16's channels.")] = 1,
    hidden: Annotated[float, typer.Option(min=0, max=1, help="Share of crops with a part hidden.")] = (
        DistilSettings.hidden
    ),
    small_share: Annotated[
        float, typer.Option(min=0, max=1, help=f"First share of the crops seen at {DistilSettings.small_size} pixels.")
    ] = DistilSettings.small_share,
    rounded: Annotated[
        float, typer.Option(min=0, max=0.9, help="Last share of the crops seen in 8 bits, so that these cost little.")
    ] = DistilSettings.rounded,
    zone: Annotated[list[str] | None, typer.Option(help=f"Hidden by name: {', '.join(ZONES)}; the cover.")] = None,
    first_zone: Annotated[float, typer.Option(min=0, help="The first zone is hidden so many times as often.")] = (
        DistilSettings.first_zone
    ),
    work: Annotated[Path, typer.Option(help="Keeps the checkpoint; a rerun goes on from it.")] = Path("runs/distil"),
    half_precision: Bfloat16 = False,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json_file: cli.JsonFile = None,
) -> None:
    """Go on training a network towards its teachers; a million crops take a night on a few cores, minutes on a GPU."""
    cli.check_writable(json_file)
    torch.set_num_threads(threads)
    model, _ = read_network(start, 112)
    shown, vectors = taught(packs, pictures)
    settings = DistilSettings(
        crops=crops,
        learning_rate=learning_rate,
        trunk_share=trunk_share,
        batch=batch,
        first_block=first_block,
        hidden=hidden,
        small_share=small_share,
        rounded=rounded,
        zones=checked_zones(zone or COVER),
        first_zone=first_zone,
        half_precision=half_precision,
        seed=seed,
    )
    records, ranges = _records_before(json_file, work / "distil.pt"), dict[str, float]()
    try:
        work.mkdir(parents=True, exist_ok=True)
        if slim > 1:
            model = _slim(model, shown, settings, slim, work / "slim.npz")
        for record in distil(model, shown, vectors, settings, work / "distil.pt", torch_device(device), ranges):
            records.append(record)
            cli.console.print(", ".join(f"{name} {value:.4g}" for name, value in record.items()), highlight=False)
            cli.write_json(json_file, {"command": command_line("tools.train"), "records": records})
        write_network(out, model.cpu(), ranges)
    except ValueError as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be written ({error.strerror})") from error
    cli.console.print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _records_before(json_file: Path | None, checkpoint: Path) -> list[Record]:
    """Those of the same run before it was stopped."""
    if json_file is None or not json_file.exists() or not checkpoint.exists():
        return []
    try:
        found: list[Record] = json.loads(json_file.read_text())["records"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return found


def _slim(model: VGG16, shown: Bytes, settings: DistilSettings, slim: int, kept: Path) -> VGG16:
    """The network with fewer channels, fitted in some minutes, or taken from ``kept`` where a run goes on."""
    if not kept.exists():
        generator = torch.Generator().manual_seed(settings.seed)
        some = torch.randperm(len(shown), generator=generator)[:_FITTED_ON].numpy()
        pixels = changed(torch.from_numpy(shown[some]), model.input_size, settings, model.spec.fill_rgb, generator)
        write_network(kept, slimmed(model, pixels.contiguous(), slim))
    return read_network(kept, model.input_size)[0]


def taught(packs: list[Path], pictures: Path | None) -> tuple[Bytes, Floats]:
    """All crops (N, 128, 128, 3) uint8 RGB of the packs, and the teachers' vectors (N, D) of the whole faces.

    Raises:
        BadInput: a pack holds no vectors, or no pictures where no folder is given; vectors of different lengths.
    """
    crops, vectors = [], []
    for pack in packs:
        found = read_arrays(pack, "teacher")
        if found is None:
            raise BadInput(f"{pack}: holds no teachers' vectors (`teacher`); give a pack that was made with them")
        source = _source(pack, pictures)
        if len(source.people) != len(found["teacher"]):
            raise BadInput(f"{pack}: {len(source.people)} crops, {len(found['teacher'])} vectors")
        crops.append(every_crop(source, SIDE))
        vectors.append(found["teacher"].astype(np.float32))
    if len({each.shape[1] for each in vectors}) > 1:
        raise BadInput(f"{packs[0]} and the others: teachers' vectors of different lengths; give packs of one teacher")
    return np.concatenate(crops), np.concatenate(vectors)


def _source(pack: Path, pictures: Path | None) -> CropSource:
    """The pack's own pictures, or those of the folder that its names tell."""
    if read_arrays(pack, "pictures") is not None:
        return open_source(pack)
    names = read_arrays(pack, "people", "files")
    if names is None or pictures is None:
        raise BadInput(f"{pack}: holds vectors without pictures; give their folder as --pictures")
    files = [pictures / str(person) / str(file) for person, file in zip(names["people"], names["files"], strict=True)]

    people = tuple(str(person) for person in names["people"])
    return CropSource(pack.name, people, lambda place: read_crop(files[place]))

"""A trunk adapted to faces: what ``python -m tools.train adapt`` reads, teaches and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.errors import BadInput
from models.network.vgg16 import CAFFE_INPUT, VGG16
from models.training.adaptation import AdaptationSettings, adapt_trunk
from models.training.device import CPU
from models.training.recipe import split
from models.training.stages import RecipeSettings
from models.training.trunks import read_trunk, write_trunk
from tools.faces.people import People, read_people
from tools.training.fit_bundle import embeddings

Record = dict[str, float]


@dataclass(frozen=True)
class Enrolled:
    """The people to be enrolled: of their prepared ``folders`` what ``fit`` trains on with ``seed``, so often."""

    folders: list[Path]
    times: int = 3
    seed: int = 0


def fit_trunk(
    people: People,
    trunk: Path,
    teacher: Path,
    settings: AdaptationSettings,
    out: Path,
    *,
    work: Path,
    input_size: int = 112,
    enrolled: Enrolled | None = None,
    go_on_from: Path | None = None,
    threads: int = 2,
    device: torch.device = CPU,
    seen: Callable[[Record], None] | None = None,
) -> tuple[People, list[Record]]:
    """Adapt ``trunk`` to the people (and those enrolled) and write it to ``out``; gives all people and the records.

    Raises:
        BadInput: the trunk has another mean or order than the .npz files, there are too few crops to hold some out,
            a checkpoint does not fit, or something cannot be written.
    """
    source = read_trunk(trunk)
    if source.spec != CAFFE_INPUT:
        raise BadInput(f"--trunk {trunk}: only trunks with the mean and order of the .npz files can be adapted")
    model = VGG16(classes=1, input_size=input_size, hidden=1)
    source.load_into(model)
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{work}: cannot be made ({error.strerror}); give another --work") from error
    taught = embeddings(people, teacher, work, threads)
    once = np.ones(len(people), bool)
    if enrolled is not None:
        own = read_people(enrolled.folders, allow_single=True)
        chosen, _ = split(own.labels, share=RecipeSettings.validation_share, seed=enrolled.seed)
        own = own.subset(chosen)
        more = embeddings(own, teacher, work, threads)
        people = people.joined(own, times=enrolled.times)
        taught = np.concatenate([taught, *[more] * enrolled.times])
        once = np.concatenate([once, np.full(len(own) * enrolled.times, enrolled.times == 1)])
    records: list[Record] = []
    try:
        faces = (people.crops, people.labels, taught)
        for record in adapt_trunk(model, *faces, settings, work / "adapt.pt", go_on_from, device, once):
            records.append(record)
            if seen is not None:
                seen(record)
    except ValueError as error:
        raise BadInput(str(error)) from error
    try:
        write_trunk(out, model)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror})") from error
    return people, records

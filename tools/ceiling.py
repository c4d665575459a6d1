"""How well people can be told apart without a zone: ``python -m tools.ceiling CROPS --teacher edgeface_xs.onnx``.

Another network, trained on far more faces than ours, looks at the same crops with the same zone filled, and a small
classifier is fitted to what it sees of them. Where it does no better than the recogniser, the zone took what tells
these people apart, and not the recogniser's training.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import nn

from models.arrays import Floats, Labels
from models.crop.pose import template
from models.crop.zones import checked_zones, hide, zone_mask
from models.network.vgg16 import CAFFE_INPUT
from models.training.fit import Examples, FitSettings, fit, predict
from models.training.recipe import split
from tools.common import report
from tools.common.options import Aligned
from tools.faces.people import read_people
from tools.training.teacher import Teacher

app = typer.Typer(add_completion=False, help="Measure how well people can be told apart with a zone hidden.")


@app.command()
def main(
    data: Annotated[list[Path], typer.Argument(help="Folders with a folder of crops per person (tools.prepare).")],
    teacher: Annotated[Path, typer.Option(help="An .onnx that embeds faces (uint8 RGB, ArcFace's alignment).")],
    zone: Annotated[list[str] | None, typer.Option(help="eyewear, lower_face, forehead, cheeks.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 0,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Print the accuracy on the validation faces, whole and without each zone."""
    zones = checked_zones(zone or ["eyewear"])
    cli.check_writable(json_file)
    torch.set_num_threads(threads)
    people = read_people(data, allow_single=True, aligned=aligned)
    fitted, held = split(people.labels, seed=seed)
    net, side = Teacher(teacher, threads=threads), people.crops.shape[1]
    found: dict[str, report.Proportion] = {}
    for name in ("nothing", *zones):
        crops = people.crops if name == "nothing" else hide(people.crops, zone_mask(name, side), CAFFE_INPUT.fill_rgb)
        seen = net.embed(crops, template(side).astype(np.float64))
        found[name] = told_apart(seen[fitted], people.labels[fitted], seen[held], people.labels[held], seed=seed)
        cli.console.print(f"hidden: {name}: {report.percent(found[name])}", highlight=False)
    cli.write_json(json_file, {"teacher": teacher.name, "seed": seed, "hidden": found})


def told_apart(seen: Floats, labels: Labels, others: Floats, wanted: Labels, *, seed: int = 0) -> report.Proportion:
    """Accuracy of a classifier fitted to embeddings (N, W) of people 0 to K - 1, on (M, W) others of the same."""
    classes, width = int(labels.max()) + 1, seen.shape[1]
    torch.manual_seed(seed)
    head = nn.Sequential(nn.Linear(width, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, classes))
    scale = np.sqrt(width)  # unit vectors become numbers of about one
    fit(head, Examples([(seen * scale).astype(np.float16)], labels), {}, FitSettings(epochs=60, seed=seed))
    return report.accuracy(predict(head, (others * scale).astype(np.float16)).numpy(), wanted)


if __name__ == "__main__":
    cli.run_app(app)

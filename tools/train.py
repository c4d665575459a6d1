"""Trains recognisers and measures them: ``python -m tools.train fit | distil | own | gallery | score | transfer``."""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from models.crop.zones import ZONES, checked_zones
from models.errors import BadInput
from models.training.device import torch_device
from models.training.features import Augmentation
from models.training.fit import FitSettings
from models.training.stages import RecipeSettings
from tools.common import report
from tools.common.options import Aligned, Bfloat16, Device
from tools.common.provenance import command_line
from tools.faces.people import People, read_people
from tools.faces.splits import TEST_LOG, Split, log_look
from tools.training.distil_command import distil_trunk
from tools.training.fit_bundle import Job, fit_bundle, recipe, transfer
from tools.training.gallery_command import gallery
from tools.training.own_vectors import own_vectors
from tools.training.progress import training_bars
from tools.training.scoring import score_bundle

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train recognisers and measure them.")
app.command(name="gallery")(gallery)
app.command(name="distil")(distil_trunk)
app.command(name="own")(own_vectors)

Data = Annotated[list[Path], typer.Argument(help="Folders with a folder of crops per person (tools.prepare).")]
TrunkFile = Annotated[Path, typer.Option("--trunk", help=".npz, .pth of torchvision or VGG-Face, or a bundle.")]
TeacherFile = Annotated[Path | None, typer.Option("--teacher", help="An .onnx that embeds faces, to distil from.")]
Strangers = Annotated[Path | None, typer.Option(help="Folder of other people's aligned crops: never to be named.")]
MostStrangers = Annotated[int, typer.Option(min=1, help="How many of the strangers' crops to use.")]
StrangerVersions = Annotated[int, typer.Option(min=1, help="Versions of each stranger's crop, the plain one first.")]
LeftOut = Annotated[int, typer.Option("--strangers-left-out", min=0, help="Last people by name kept for measuring.")]
Zones = Annotated[list[str] | None, typer.Option("--zone", help=f"Also learn faces without it: {', '.join(ZONES)}.")]
Work = Annotated[Path, typer.Option(help="Keeps features, checkpoints and the report; a rerun resumes from it.")]
InputSize = Annotated[int, typer.Option(min=32, max=1024, help="Side of the crops that the recogniser sees.")]
Versions = Annotated[int, typer.Option(min=0, help="Changed versions of each crop, beside the plain one.")]
HiddenShare = Annotated[float, typer.Option(min=0, max=1, help="Share of changed crops with a part hidden.")]
GlassesShare = Annotated[float, typer.Option("--glasses", min=0, max=1, help="Share with innocent glasses drawn on.")]
Epochs = Annotated[int, typer.Option(min=1, help="Most epochs for the head.")]
BlockEpochs = Annotated[int, typer.Option(min=0, help="Epochs for the last convolution block; 0: frozen.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the split, of the changes and of the training.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads for training.")]
Pose = Annotated[float, typer.Option(min=0, max=4, help="Random shifts, turns and sizes, times the usual ones.")]


@app.command()
def fit(  # noqa: PLR0913 - a command's options
    data: Data,
    out: Annotated[Path, typer.Option(help="The bundle's folder.")],
    trunk: TrunkFile,
    name: Annotated[str, typer.Option(help="The bundle's name.")] = "plain",
    work: Work = Path("runs/fit"),
    input_size: InputSize = 112,
    hidden: Annotated[int, typer.Option(min=0, help="Width of the hidden layer; 0: the widest allowed.")] = 0,
    versions: Versions = RecipeSettings.versions,
    epochs: Epochs = FitSettings.epochs,
    block_epochs: BlockEpochs = 0,
    teacher: TeacherFile = None,
    strangers: Strangers = None,
    most_strangers: MostStrangers = 3000,
    stranger_versions: StrangerVersions = RecipeSettings.stranger_versions,
    left_out: LeftOut = 0,
    zone: Zones = None,
    zone_versions: Annotated[int, typer.Option(min=1, help="Changed versions without each zone.")] = (
        RecipeSettings.zone_versions
    ),
    hidden_share: HiddenShare = Augmentation.hidden,
    glasses: GlassesShare = RecipeSettings.glasses,
    pose: Pose = 1.0,
    adversarial: Annotated[bool, typer.Option(help="Go on against short attacks on the head first fitted.")] = False,
    allow_single: Annotated[
        bool, typer.Option(help="Enrol people with one picture from changed copies of it.")
    ] = False,
    aligned: Aligned = False,
    half_precision: Bfloat16 = False,
    seed: Seed = 0,
    threads: Threads = 2,
    device: Device = "auto",
    json_file: cli.JsonFile = None,
) -> None:
    """Train on a folder per person and write a bundle."""
    cli.check_writable(json_file)
    people = read_people(data, allow_single=allow_single, aligned=aligned)
    job = Job(
        trunk=trunk,
        work=work,
        settings=replace(
            recipe(versions, epochs, block_epochs, seed, teacher, strangers),
            zones=checked_zones(zone or []),
            zone_versions=zone_versions,
            augmentation=Augmentation(hidden=hidden_share).moved(pose),
            glasses=glasses,
            stranger_versions=stranger_versions,
            half_precision=half_precision,
        ),
        input_size=input_size,
        hidden=hidden,
        teacher=teacher,
        strangers=_strangers(strangers, most_strangers, left_out),
        adversarial=adversarial,
        threads=threads,
        device=torch_device(device),
        command=command_line("tools.train"),
    )
    with training_bars() as progress:
        outcome = fit_bundle(people, job, out, name=name, progress=progress)
    cli.write_json(json_file, outcome)
    for kind, figure in outcome["validation"].items():
        cli.console.print(f"validation, {kind}: {report.percent(figure)}")
    cli.console.print(f"{out}: {outcome['megabytes']} MB, {outcome['people']} people; report in {work}")


@app.command()
def score(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder, or the name of an embedded one.")],
    data: Data,
    split: Annotated[Split, typer.Option(help="test: DATA is the test split, and the look is logged.")],
    defended: Annotated[bool, typer.Option(help="Also count the defended decisions (slow).")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write the confusion matrix here (.png).")] = None,
    log: Annotated[Path, typer.Option(help="Where looks at a test split are written down.")] = TEST_LOG,
    aligned: Aligned = False,
    threads: Threads = 2,
    json_file: cli.JsonFile = None,
) -> None:
    """Measure a bundle: on what it was validated on, or on a test split (which is logged)."""
    cli.check_writable(json_file, plot)
    if plot is not None and plot.suffix != ".png":
        raise BadInput(f"--plot {plot}: a PNG is written; give a name that ends in .png")
    torch.set_num_threads(threads)
    people = read_people(data, allow_single=True, aligned=aligned)
    outcome = score_bundle(bundle, people, held_out_only=split is Split.validation, defended=defended, threads=threads)
    counts = outcome["confusion"]
    figures = {key: value for key, value in outcome.items() if key != "confusion"}
    if split is Split.test:
        shown = {key: value for key, value in figures.items() if key not in ("labels", "per_person")}
        log_look(log, shown, command="tools.train")
    if plot is not None:
        report.plot_confusion(counts, outcome["labels"], plot)
    cli.write_json(json_file, figures | {"split": split.value, "confusion": counts})
    for words, figure in (
        ("accuracy", outcome["accuracy"]),
        ("named rightly", outcome["named_rightly"]),
        ("named wrongly", outcome["named_wrongly"]),
    ):
        cli.console.print(f"{split.value}, {words}: {report.percent(figure)}")
    for zone, accuracy in outcome["hidden"].items():
        cli.console.print(f"{split.value}, {zone.replace('_', ' ')} hidden: {report.percent(accuracy)}")


@app.command(name="transfer")
def transfer_command(  # noqa: PLR0913 - a command's options
    data: Data,
    trunk: TrunkFile,
    known: Annotated[int, typer.Option(min=2, help="How many people are enrolled; the others are strangers.")] = 20,
    work: Work = Path("runs/transfer"),
    input_size: InputSize = 112,
    versions: Versions = RecipeSettings.versions,
    epochs: Epochs = FitSettings.epochs,
    block_epochs: BlockEpochs = 0,
    teacher: TeacherFile = None,
    strangers: Strangers = None,
    most_strangers: MostStrangers = 3000,
    stranger_versions: StrangerVersions = RecipeSettings.stranger_versions,
    left_out: LeftOut = 0,
    aligned: Aligned = False,
    half_precision: Bfloat16 = False,
    seed: Seed = 0,
    threads: Threads = 2,
    device: Device = "auto",
    json_file: cli.JsonFile = None,
) -> None:
    """The honest figure: enrol some of the people and see how often the others are taken for one of them."""
    cli.check_writable(json_file)
    people = read_people(data, aligned=aligned)
    job = Job(
        trunk=trunk,
        work=work,
        settings=replace(
            recipe(versions, epochs, block_epochs, seed, teacher, strangers),
            stranger_versions=stranger_versions,
            half_precision=half_precision,
        ),
        input_size=input_size,
        teacher=teacher,
        strangers=_strangers(strangers, most_strangers, left_out),
        threads=threads,
        device=torch_device(device),
    )
    with training_bars() as progress:
        outcome = transfer(people, job, known=known, seed=seed, progress=progress)
    cli.write_json(json_file, outcome)
    cli.console.print(f"known people, top name right: {report.percent(outcome['accuracy_on_known'])}")
    for point in outcome["points"]:
        cli.console.print(
            f"threshold {point['threshold']:.2f}: right {report.percent(point['known_right'])},"
            f" strangers named {report.percent(point['strangers_named'])}"
        )


def _strangers(folder: Path | None, most: int, left_out: int) -> People | None:
    if folder is None:
        return None
    return read_people([folder], allow_single=True, aligned=True, most=most, leave_out=left_out)


if __name__ == "__main__":
    cli.run_app(app)

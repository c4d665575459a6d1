"""Calibrates a bundle's policy over zone views: ``python -m tools.tune_policy CROPS --bundle hardened``.

Four rates are stated beforehand, the thresholds follow from validation faces (and strangers, where given: other
people than the evaluation's): ``zone_confirm`` is the lowest at which the zone's view gives a *wrong* person so much
on at most a share ``--impersonated`` of the people's faces and of the strangers', each; ``zone_threshold`` the lowest
at which what it names is wrong on at most ``--misnamed`` of either; ``zone_dissent`` the highest at which at most
``--alarmed`` of the clean faces (with innocent glasses among them) are taken for an attack, and the final name is
wrong on at most ``--cost`` more of the clean ones than the raw view; ``further_confirm`` the highest at which the
views of further zones raise an alarm on at most ``--vetoed`` of the same faces beside those.

Where a gallery decides, ``zone_confirm`` and ``zone_lead`` are, of the values that keep ``--impersonated``, those with
which most faces are rightly known, ``floor`` and ``further_lead`` the same of those that let any one zone's view allow
somebody else on at most a share ``--elsewhere``, and ``threshold`` is the lowest quantile of what the raw view gives
strangers at which a share ``--named`` of them is known at most. Faces are then looked at through embeddings, which
``--work`` keeps; the saliency mask has no say.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from models.bundle import DefenceInfo, load_bundle
from models.crop.zones import ZONES, checked_zones
from models.errors import BadInput
from models.recogniser import load_recogniser
from tools.common.bundles import rewrite
from tools.common.options import Aligned, KeptEmbeddings
from tools.common.provenance import commit_of_this_tree, today
from tools.crafting.attacked_faces import labelled, nobody
from tools.evaluation.run import with_innocent_glasses
from tools.faces.people import read_people
from tools.faces.splits import CALIBRATED, Half, held_out
from tools.tuning.policy import Rates, Views, calibrated, outcome, strangers_of, views_of

app = typer.Typer(add_completion=False, help="Calibrate the policy over zone views on validation faces.")
ENOUGH = 100  # faces, to see rates of a few percent


@app.command()
def main(  # noqa: PLR0913 - a command's options
    data: Annotated[list[Path], typer.Argument(help="The folders that the bundle was trained on (tools.prepare).")],
    bundle: Annotated[str, typer.Option(help="Bundle with a zone: a name or a folder.")] = "hardened",
    zone: Annotated[
        list[str] | None, typer.Option(help=f"Hide these, and not those of now (repeat): {', '.join(ZONES)}.")
    ] = None,
    mask_of: Annotated[
        str | None, typer.Option("--mask-of", help="Take over the tuned saliency mask of this bundle.")
    ] = None,
    strangers: Annotated[Path | None, typer.Option(help="Folder of other people's aligned crops.")] = None,
    most_strangers: Annotated[int, typer.Option(min=1)] = 600,
    impersonated: Annotated[float, typer.Option(min=0, max=1)] = Rates.impersonated,
    misnamed: Annotated[float, typer.Option(min=0, max=1)] = Rates.misnamed,
    alarmed: Annotated[float, typer.Option(min=0, max=1)] = Rates.alarmed,
    cost: Annotated[float, typer.Option(min=0, max=1)] = Rates.cost,
    vetoed: Annotated[float, typer.Option(min=0, max=1)] = Rates.vetoed,
    named: Annotated[
        float | None, typer.Option(min=0, max=1, help="Strangers known at most; 0.01 where a gallery decides.")
    ] = None,
    elsewhere: Annotated[
        float, typer.Option(min=0, max=1, help="Where a gallery decides: impersonable outside any one zone.")
    ] = Rates.elsewhere,
    every_stranger: Annotated[
        bool, typer.Option(help="Use all of them and not every second one: none is measured on.")
    ] = False,
    work: KeptEmbeddings = None,
    write: Annotated[bool, typer.Option(help="Write the thresholds into the bundle (or only report).")] = True,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    engine: Annotated[str, typer.Option(help="What answers.")] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Calibrate, report, write the thresholds into the bundle."""
    cli.check_writable(json_file)
    torch.set_num_threads(threads)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    if zone is not None:
        recogniser.zones = checked_zones(zone)
    if not recogniser.zones:
        raise BadInput(f"--bundle {bundle}: its policy hides no zone; train it with tools.train fit --zone eyewear")
    defence = recogniser.bundle.info.defence if mask_of is None else _taken_over(mask_of)
    recogniser.mask_parameters = defence.parameters
    crops, labels = labelled(held_out(recogniser, read_people(data, allow_single=True, aligned=aligned)), recogniser)
    if len(crops) < ENOUGH:
        cli.console.print(f"only {len(crops)} faces were held out: rates of a few percent cannot be seen on so few")
    look = partial(views_of, recogniser, work=work)
    clean = look(crops, labels, "validation")
    innocent = look(with_innocent_glasses(crops, seed), labels, "with innocent glasses")
    others: Views | None = None
    used: tuple[str, ...] = ()
    if strangers is not None:
        half = None if every_stranger else Half.calibration
        crops, used = strangers_of(recogniser, strangers, half, most_strangers, seed)
        others = look(crops, nobody(len(crops)), "strangers")
    if others is not None and named is None and recogniser.gallery is not None:
        named = 0.01
    if named is not None and others is None:
        raise BadInput("--named: strangers decide; give --strangers FOLDER")
    rates = Rates(impersonated, misnamed, alarmed, cost, vetoed, named, elsewhere)
    policy = calibrated(recogniser.policy, clean, innocent, others, rates)
    report = {
        "source": "tools.tune_policy on validation faces",
        "date": today(),
        "commit": commit_of_this_tree(),
        "rates": asdict(rates),
        "seed": seed,
        CALIBRATED: list(used),
        "before": outcome(recogniser.policy, clean, innocent, others),
        "policy": asdict(policy),
        **outcome(policy, clean, innocent, others),
    }
    cli.write_json(json_file, report)
    for name, figure in report.items():
        cli.console.print(f"{name}: {figure}", highlight=False, soft_wrap=True)
    if write:
        info = recogniser.bundle.info
        stored = info.policy.model_copy(update={**asdict(policy), "zones": recogniser.zones, "record": report})
        rewrite(recogniser.bundle.folder, info.model_copy(update={"policy": stored, "defence": defence}))


def _taken_over(mask_of: str) -> DefenceInfo:
    defence = load_bundle(mask_of).info.defence
    source = f"taken over from {mask_of}: {defence.record.get('source', 'no record')}"
    return defence.model_copy(update={"record": {"source": source}})


if __name__ == "__main__":
    cli.run_app(app)

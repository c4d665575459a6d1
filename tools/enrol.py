"""Your own people in one command: ``python -m tools.enrol PHOTOS --out BUNDLE``.

It prepares the pictures (``tools.prepare``) and fits a head to them (``tools.train fit``) on the trunk of a bundle
that is there already, the embedded one by default, whose zones, mask and thresholds the new one takes over. For other
trunks, teachers and recipes use those two; ``tools.tune_policy`` calibrates the thresholds on the new people.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated

import typer

from models.bundle import load_bundle
from models.errors import BadInput
from models.training.fit import FitSettings
from models.training.stages import RecipeSettings
from realtime.people.crops import prepare
from tools.common import report
from tools.common.provenance import command_line
from tools.faces.people import People, read_people
from tools.training.fit_bundle import Job, fit_bundle
from tools.training.progress import training_bars

app = typer.Typer(add_completion=False, help="Enrol people from photographs.")


@app.command()
def main(
    photos: Annotated[Path, typer.Argument(help="Folder that holds one folder of pictures per person.")],
    out: Annotated[Path, typer.Option(help="The new bundle's folder.")],
    strangers: Annotated[
        Path | None, typer.Option(help="The same of other people, who are never to be named; the more the better.")
    ] = None,
    bundle: Annotated[str | None, typer.Option(help="Whose trunk to use; none: the embedded bundle's.")] = None,
    work: Annotated[Path, typer.Option(help="Keeps crops, features and the report; a rerun goes on from it.")] = Path(
        "runs/enrol"
    ),
    allow_single: Annotated[bool, typer.Option(help="Accept people with one picture.")] = False,
    versions: Annotated[int, typer.Option(min=0, help="Changed versions of each crop, beside the plain one.")] = 4,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    json_file: cli.JsonFile = None,
) -> None:
    """Prepare, train, export; afterwards: python -m realtime run --bundle OUT."""
    cli.check_writable(json_file)
    base = load_bundle(bundle)
    people = _prepared(photos, work / "crops", allow_single=allow_single)
    others = None if strangers is None else _prepared(strangers, work / "strangers", allow_single=True)
    if len(people.names) < 2:
        raise BadInput(f"{photos}: holds one person, whom everybody would be taken for; enrol at least two")
    head = FitSettings(strangers=0.0 if others is None else 0.5)
    zones = base.info.policy.zones
    settings = RecipeSettings(
        versions=versions,
        zones=zones,
        zone_versions=max(1, versions // 2),
        head=head,
        temperature=base.info.calibration.get("temperature"),  # the thresholds taken over belong to it
    )
    job = Job(
        trunk=base.folder,
        work=work / "fit",
        settings=settings,
        input_size=base.info.input_size,
        strangers=others,
        threads=threads,
        command=command_line("tools.enrol"),
        like=base,
    )
    with training_bars() as progress:
        outcome = fit_bundle(people, job, out, name=out.resolve().name, progress=progress)
    cli.write_json(json_file, outcome)
    if "clean" in outcome["validation"]:
        cli.console.print(f"validation: {report.percent(outcome['validation']['clean'])}")
    if others is None:
        cli.console.print(
            "nobody was shown as a stranger, so strangers will be named at times: give --strangers FOLDER"
        )
    if zones:
        cli.console.print(
            f"views without {', '.join(zones)} and their thresholds as in {base.info.name}; from 500 pictures on"
            f" calibrate them: python -m tools.tune_policy {work / 'crops'} --bundle {out}"
        )
    cli.console.print(f"{out}: {outcome['people']} people; use it with python -m realtime run --bundle {out}")


def _prepared(photos: Path, crops: Path, *, allow_single: bool) -> People:
    """The people's crops, and a line on what was dropped."""
    found = prepare(photos, crops, allow_single=allow_single, quiet=False)
    cli.console.print(f"{photos}: {found['kept']} of {found['pictures']} pictures kept, {found['people']} people")
    for reason, count in found["reasons"].items():
        cli.console.print(f"  {count} x {reason}")
    return read_people([crops], allow_single=allow_single)


if __name__ == "__main__":
    cli.run_app(app)

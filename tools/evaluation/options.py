"""The options of ``tools.evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.crop.wearables import WEARABLES
from models.crop.zones import ZONES
from tools.evaluation.defences import NAMES
from tools.evaluation.plan import scenarios
from tools.faces.splits import Split

Data = Annotated[list[Path], typer.Argument(help="Prepared crops: the training folders, or a test folder.")]
Out = Annotated[Path, typer.Option(help="Results; a rerun goes on where it stopped.")]
Choice = Annotated[Split, typer.Option("--split", help="validation: held-out crops of the training folders.")]
BundleName = Annotated[str, typer.Option(help="Bundle: a name or a folder.")]
Full = Annotated[bool, typer.Option("--full/--quick", help="Everything (hours), or ten minutes' worth.")]
Attacks = Annotated[list[str] | None, typer.Option(help=f"Only these (repeat): {', '.join(scenarios())}.")]
Defences = Annotated[list[str] | None, typer.Option(help=f"Only these (repeat): {', '.join(NAMES)}.")]
Pairs = Annotated[int | None, typer.Option(min=1, help="Impersonations of the oblivious attack.")]
Dodges = Annotated[int | None, typer.Option(min=1, help="Dodging attacks.")]
Steps = Annotated[int | None, typer.Option(min=0, help="Most updates of the oblivious attack.")]
AdaptivePairs = Annotated[int | None, typer.Option(min=1, help="Pairs of each adaptive attack.")]
AdaptiveSteps = Annotated[int | None, typer.Option(min=0, help="Most updates of each adaptive attack.")]
AccessoryPairs = Annotated[int | None, typer.Option(min=1, help="Pairs of each other thing worn.")]
ZonePairs = Annotated[int | None, typer.Option(min=1, help="Pairs of each attack on the zones' policy.")]
ZoneSteps = Annotated[int | None, typer.Option(min=0, help="Most updates of those, per restart.")]
Clean = Annotated[int | None, typer.Option(min=1, help="Clean faces at most.")]
Shape = Annotated[str, typer.Option(help=f"What the attackers wear (joined by + several): {', '.join(WEARABLES)}.")]
Fitted = Annotated[
    list[Path] | None, typer.Option(help="With --split test: the training folders, to train the eye band's head.")
]
StrangersFolder = Annotated[Path | None, typer.Option(help="Prepared crops of people who are not enrolled.")]
Hardened = Annotated[str | None, typer.Option(help="A bundle with zones: two defences more.")]
HiddenZones = Annotated[
    list[str] | None, typer.Option(help=f"It hides these, not its own (repeat): {', '.join(ZONES)}.")
]
Wearers = Annotated[
    Path | None, typer.Option("--wearers", help="List of pictures (person/file) of people who really wear glasses.")
]
Photographs = Annotated[
    Path | None, typer.Option(help="What the crops were prepared from: glasses are worn there, faces found anew.")
]
Detect = Annotated[bool, typer.Option(help="Look whether a detector still finds the attacked faces.")]
Certify = Annotated[bool, typer.Option(help="With --hardened: the certificates (ten minutes).")]
Seed = Annotated[int, typer.Option(min=0)]
Engine = Annotated[str, typer.Option(help="What counts; an ONNX Runtime engine.")]
Threads = Annotated[int, typer.Option(min=1)]
Log = Annotated[Path, typer.Option(help="Where looks at a test split are written down.")]

"""Makes adversarial glasses: ``python -m tools.make_glasses CROPS --out FOLDER`` for many pairs, or
``python -m tools.make_glasses --picture PHOTO --target NAME --out FOLDER`` for one photograph, or
``python -m tools.make_glasses --from-people ALICE --target BOB --out FOLDER`` for somebody whom you have enrolled.

For research on one's own recogniser. Everything is kept: textures (RGBA), attacked crops, whole frames that wear
them (of many pairs with ``--photographs``), a manifest, a contact sheet, a page to print at true scale. An
interrupted run goes on where it stopped.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.arrays import Bytes
from models.crop.wearables import WEARABLES, area, things
from models.errors import BadInput, refuse_unknown
from models.recogniser import Recogniser, load_recogniser
from models.training.device import torch_device
from realtime.people.place import use_people
from realtime.settings.config import RecognitionConfig
from tools.attacks.registry import ATTACKS, known_of
from tools.attacks.settings import VIEWS, Settings
from tools.common.options import Aligned, Bfloat16, Device
from tools.crafting.attackers import Attackers
from tools.crafting.enrolled import robust
from tools.crafting.job import Worn, make_glasses
from tools.crafting.pairs import Pair
from tools.crafting.records import Record, summary
from tools.crafting.sheets import contact_sheet, printable_page
from tools.crafting.store import CONTACT_SHEET, MANIFEST, Store, png, read_png
from tools.crafting.texture import make_texture
from tools.fan_out.fan import Fan, fanned_out
from tools.fan_out.option import Ray, WithRay

__all__ = ["make_texture"]

MOST_ON_SHEET = 120
app = typer.Typer(add_completion=False, help="Make adversarial glasses against one's own recogniser.")


def finish(
    store: Store, recogniser: Recogniser, settings: Settings, job: dict[str, object], records: Sequence[Record]
) -> dict[str, object]:
    """Printable pages, contact sheet and, last, the manifest; gives the manifest."""
    cells: list[tuple[Bytes, Bytes, str]] = []
    for record in records:
        place = store.place(f"{record['pair']:04d}")
        goal = record["target"] or "nobody"
        caption = f"{record['attacker']} as {goal}, {settings.shape}, {settings.attack}, seed {settings.seed}"
        texture = cv2.imdecode(np.frombuffer((place / "texture.png").read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        assert texture is not None
        rgba = np.ascontiguousarray(texture[..., [2, 1, 0, 3]], dtype=np.uint8)
        cli.write_whole(place / "print.pdf", printable_page(rgba, settings.shape, caption))
        if len(cells) < MOST_ON_SHEET:
            now = f"{record['named_after'][0]} {record['best_after'][0]:.2f}, {record['iterations']} steps"
            pictures = [read_png(place / f"{kind}_0.png") for kind in ("original", "adversarial")]
            cells.append((pictures[0], pictures[1], f"{record['attacker']} as {goal}\n{now}"))
    cli.write_whole(store.folder / CONTACT_SHEET, png(contact_sheet(cells)))
    manifest = job | {"area": round(area(settings.shape, recogniser.input_size), 4)}
    manifest |= {"summary": summary(records), "pairs": records}
    cli.write_json(store.folder / MANIFEST, manifest)
    return manifest


@app.command(cls=WithRay)
def main(  # noqa: PLR0913 - a command's options
    crops: Annotated[Path | None, typer.Argument(help="Folder of prepared crops of enrolled people.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; made if missing.")] = Path("glasses"),
    picture: Annotated[Path | None, typer.Option(help="One photograph instead of a folder.")] = None,
    photographs: Annotated[
        Path | None, typer.Option(help="What the crops were prepared from: the results are worn there too.")
    ] = None,
    attackers: Annotated[Path | None, typer.Option(help="Folder of prepared crops of strangers who attack.")] = None,
    from_people: Annotated[
        str | None,
        typer.Option(help="An enrolled person attacks: from --photographs, or from crops that were kept of them."),
    ] = None,
    gallery: Annotated[str | None, typer.Option(help="--from-people: the people's file; none: your own.")] = None,
    person: Annotated[list[str] | None, typer.Option(help="Only this attacker (may be repeated).")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Only this target (may be repeated).")] = None,
    dodge: Annotated[bool, typer.Option("--dodge", help="Be anybody else instead of a target.")] = False,
    pairs: Annotated[int, typer.Option(min=1, help="How many (attacker, target) pairs.")] = 12,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    shape: Annotated[
        str, typer.Option(help=f"One of {', '.join(WEARABLES)}; several at once: joined by +.")
    ] = "classic",
    attack: Annotated[str, typer.Option(help=f"One of {', '.join(ATTACKS)}.")] = "sharif",
    eot: Annotated[str, typer.Option(help="Random views at every step: none, physical or scene.")] = "none",
    steps: Annotated[int, typer.Option(min=0, help="Most updates per picture.")] = 300,
    joint: Annotated[int, typer.Option(min=1, max=30, help="Pictures of the attacker sharing a texture.")] = 1,
    total_variation: Annotated[float | None, typer.Option(help="Weight of smoothness (3 with --eot physical).")] = None,
    printability: Annotated[float | None, typer.Option(help="Weight of printability (5 with --eot physical).")] = None,
    bundle: Annotated[
        str | None, typer.Option(help="Bundle: a name or a folder; none: plain, or hardened with --from-people.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What counts the success.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the attack.")] = 2,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Pairs attacked and saved together; 8, or 48 on a GPU.")
    ] = None,
    device: Device = "auto",
    ray: Ray = None,
    half_precision: Bfloat16 = False,
    aligned: Aligned = False,
    again: Annotated[bool, typer.Option("--again", help="Discard a different run's results in --out.")] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Draw pairs, attack, write everything down, count success on what was written."""
    cli.check_writable(json_file)
    settings = checked(attack, shape, eot, steps, joint, total_variation, printability, seed, half_precision)
    if from_people is not None:
        settings = robust(steps, shape, seed, half_precision)
    chosen = Attackers(
        crops, attackers, picture, photographs, person or [], target or [], dodge, pairs, aligned, from_people, gallery
    )
    chosen.check(attack)
    torch.set_num_threads(threads)
    where = torch_device(device)
    recogniser = load_recogniser(bundle or ("plain" if from_people is None else None), engine, threads=threads)
    if from_people is not None:
        use_people(recogniser, RecognitionConfig(gallery=gallery))
    drawn, source, worn = chosen.drawn(recogniser, settings)
    job: dict[str, object] = {
        "bundle": {"name": recogniser.bundle.info.name, "checksum": recogniser.bundle.checksum},
        "settings": dataclasses.asdict(settings),
        "source": source | {"person": person, "target": target},
        "engine": recogniser.engine,
        "defence": known_of(attack, recogniser),
    }
    store = Store(out, job, discard=again)
    with fanned_out(ray, engine, threads, where) as fan:
        records = with_progress(recogniser, drawn, settings, store, worn, at_once=at_once, device=where, fan=fan)
    manifest = finish(store, recogniser, settings, job, records)
    cli.write_json(json_file, manifest)
    told(records, recogniser, out, source.get("known_to_bundle"))


def told(records: Sequence[Record], recogniser: Recogniser, out: Path, known: object) -> None:
    """What came of it, and what to know of it; ``known``: how many of the pictures the bundle knows."""
    share = summary(records)["success"]
    low, high = 100 * (share["low"] or 0.0), 100 * (share["high"] or 0.0)
    cli.console.print(
        f"{share['right']} of {share['n']} pictures fool {recogniser.bundle.info.name} ({recogniser.engine}),"
        f" 95 % interval {low:.1f}-{high:.1f} %; all in {out}"
    )
    worn = summary(records)["photographs"]
    if worn["n"]:
        cli.console.print(f"{worn['right']} of {worn['n']} photographs that wear them do, their faces found anew")
    if worn["n"] and not worn["right"] and share["right"]:
        cli.console.print("no photograph does: give larger or sharper ones, --eot scene, or --shape wide")
    if lost := sum(record.get("frames", []).count(None) for record in records):
        cli.console.print(f"no face was found on {lost} photographs: null among the manifest's frames")
    if known:
        cli.console.print(
            f"{known} of the folder's pictures are among those that the bundle was trained or"
            " validated on: for a figure take others (tools.evaluate --split test)"
        )


def checked(
    attack: str,
    shape: str,
    eot: str,
    steps: int,
    joint: int,
    total_variation: float | None,
    printability: float | None,
    seed: int,
    half_precision: bool = False,
) -> Settings:
    """The settings, or ``BadInput`` for an unknown name or a combination that means nothing."""
    refuse_unknown("--attack", attack, known=ATTACKS)
    refuse_unknown("--shape", *things(shape), known=WEARABLES)
    refuse_unknown("--eot", eot, known=VIEWS)
    if not ATTACKS[attack].shares_texture and (joint > 1 or total_variation or printability):
        sharing = ", ".join(name for name, spec in ATTACKS.items() if spec.shares_texture)
        raise BadInput(f"--attack {attack}: --joint, --total-variation and --printability belong to {sharing}")
    if not ATTACKS[attack].random_views and eot != "none":
        raise BadInput(f"--attack {attack}: sees the crop as it is; leave --eot out")
    return Settings(attack, shape, eot, steps, joint, total_variation, printability, seed, half_precision)  # type: ignore[arg-type]


def with_progress(
    recogniser: Recogniser,
    pairs: list[Pair],
    settings: Settings,
    store: Store,
    worn: Worn | None,
    *,
    at_once: int | None,
    device: torch.device,
    fan: Fan | None,
) -> list[Record]:
    """``make_glasses`` under two progress bars: pairs, and steps of those attacked now."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=cli.console) as progress:
        whole = progress.add_task("pairs", total=len(pairs))
        now = progress.add_task("steps", total=settings.steps)

        def step(done: int, left: int) -> None:
            progress.update(now, completed=done, description=f"steps ({left} left)")

        return make_glasses(
            recogniser,
            pairs,
            settings,
            store,
            at_once=at_once,
            device=device,
            finished=lambda count: progress.advance(whole, count),
            watch=step,
            worn=worn,
            fan=fan,
        )


if __name__ == "__main__":
    cli.run_app(app)

"""Makes adversarial glasses: ``python -m tools.make_glasses CROPS --out FOLDER`` for many pairs, or
``python -m tools.make_glasses --picture PHOTO --target NAME --out FOLDER`` for one photograph.

For research on one's own recogniser. Everything is kept: textures (RGBA), attacked crops, whole frames that wear
them (of many pairs with ``--photographs``), a manifest, a contact sheet, a page to print at true scale. An
interrupted run goes on where it stopped.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import dataclasses
from pathlib import Path
from typing import Annotated, Any, get_args

import cv2
import numpy as np
import torch
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.arrays import Bytes
from models.crop.wearables import WEARABLES, area
from models.errors import BadInput, refuse_unknown
from models.recogniser import Recogniser, load_recogniser
from models.training.device import torch_device
from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.faces.wear import wear
from realtime.people.pictures import choose_face, find_faces, read_picture
from tools.common.options import Aligned, Bfloat16, Device
from tools.crafting.attacked_faces import known_to
from tools.crafting.job import ATTACKS, Settings, View, Worn, make_glasses, summary
from tools.crafting.pairs import STRANGER, Pair, draw_pairs, index_of, labels_of
from tools.crafting.sheets import contact_sheet, printable_page
from tools.crafting.store import CONTACT_SHEET, MANIFEST, Store, png, read_png
from tools.crafting.texture import make_texture
from tools.evaluation.photographs import Camera
from tools.faces.people import at_size, read_people
from tools.faces.splits import known_pictures, unseen

__all__ = ["make_texture"]

MOST_ON_SHEET = 120
app = typer.Typer(add_completion=False, help="Make adversarial glasses against one's own recogniser.")


def photographed(
    path: Path, attacker: str | None, target: str | None, recogniser: Recogniser, detector: FaceDetector | None = None
) -> tuple[Pair, Worn]:
    """One picture as the only pair, and how it wears the result; ``attacker`` None: somebody who is not enrolled.

    Raises:
        BadInput: no picture, no face, an unknown person, or a stranger who wants to dodge.
    """
    bgr = read_picture(path) if path.is_file() else None
    if bgr is None:
        raise BadInput(f"picture {path}: not a readable picture")
    label = STRANGER if attacker is None else index_of(attacker, recogniser.labels, "attacker")
    goal = None if target is None else index_of(target, recogniser.labels, "target")
    if goal is None and label == STRANGER:
        raise BadInput("nobody to be and nobody to dodge: give --target, or --person for who the picture shows")
    if goal == label:
        raise BadInput(f"target {target!r}: is the attacker himself; give somebody else")
    faces = find_faces(detector or MtcnnDetector(min_face=40), bgr)
    if not faces:
        raise BadInput(f"picture {path}: no face was found; give one with a face of at least 40 pixels")
    landmarks = choose_face(faces, bgr.shape).landmarks
    crop = crop_face(bgr, landmarks, recogniser.input_size)
    pair = Pair(0, attacker or path.stem, (path.name,), crop[None], label, goal)
    return pair, lambda _, rgba: [wear(bgr, landmarks, rgba)]


def worn_on(folder: Path, pairs: list[Pair], recogniser: Recogniser) -> Worn:
    """How the photographs that the pairs' crops were prepared from wear the results.

    Raises:
        BadInput: one of them is missing or cannot be read: told now, before hours of work.
    """
    camera = Camera(folder, MtcnnDetector(min_face=40), None, recogniser.input_size)
    for pair in pairs:
        for picture in pair.pictures:
            camera.photograph(picture)
    return lambda pair, rgba: [camera.worn(picture, rgba) for picture in pair.pictures]


def finish(
    store: Store, recogniser: Recogniser, settings: Settings, job: dict[str, Any], records: list[dict[str, Any]]
) -> dict[str, Any]:
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


@app.command()
def main(
    crops: Annotated[Path | None, typer.Argument(help="Folder of prepared crops of enrolled people.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; made if missing.")] = Path("glasses"),
    picture: Annotated[Path | None, typer.Option(help="One photograph instead of a folder.")] = None,
    photographs: Annotated[
        Path | None, typer.Option(help="What the crops were prepared from: the results are worn there too.")
    ] = None,
    attackers: Annotated[Path | None, typer.Option(help="Folder of prepared crops of strangers who attack.")] = None,
    person: Annotated[list[str] | None, typer.Option(help="Only this attacker (may be repeated).")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Only this target (may be repeated).")] = None,
    dodge: Annotated[bool, typer.Option("--dodge", help="Be anybody else instead of a target.")] = False,
    pairs: Annotated[int, typer.Option(min=1, help="How many (attacker, target) pairs.")] = 12,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    shape: Annotated[str, typer.Option(help=f"One of {', '.join(WEARABLES)}.")] = "classic",
    attack: Annotated[str, typer.Option(help=f"One of {', '.join(ATTACKS)}.")] = "sharif",
    eot: Annotated[str, typer.Option(help="Random views at every step: none, physical or scene.")] = "none",
    steps: Annotated[int, typer.Option(min=0, help="Most updates per picture.")] = 300,
    joint: Annotated[int, typer.Option(min=1, max=30, help="Pictures of the attacker sharing a texture.")] = 1,
    total_variation: Annotated[float | None, typer.Option(help="Weight of smoothness (3 with --eot physical).")] = None,
    printability: Annotated[float | None, typer.Option(help="Weight of printability (5 with --eot physical).")] = None,
    bundle: Annotated[str, typer.Option(help="Bundle: a name or a folder.")] = "plain",
    engine: Annotated[str, typer.Option(help="What counts the success.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the attack.")] = 2,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Pairs attacked and saved together; 8, or 48 on a GPU.")
    ] = None,
    device: Device = "auto",
    half_precision: Bfloat16 = False,
    aligned: Aligned = False,
    again: Annotated[bool, typer.Option("--again", help="Discard a different run's results in --out.")] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Draw pairs, attack, write everything down, count success on what was written."""
    cli.check_writable(json_file)
    settings = checked(attack, shape, eot, steps, joint, total_variation, printability, seed, half_precision)
    if attack == "zones" and (dodge or (picture is not None and not target)):
        raise BadInput("--attack zones impersonates somebody; leave --dodge out, and give --target with --picture")
    if dodge and target:
        raise BadInput("--dodge: whom to be is all the same; leave --target out")
    if sum(source is not None for source in (crops, picture, attackers)) != 1:
        raise BadInput("give either a folder of crops, or --attackers FOLDER, or --picture FILE")
    if attack == "A8" and (picture is not None or photographs is not None):
        raise BadInput("--attack A8: changes the whole crop, which nobody can wear on a photograph; give crops alone")
    if picture is not None and photographs is not None:
        raise BadInput("--photographs: belongs to a folder of crops, and --picture is worn anyway; leave it out")
    torch.set_num_threads(threads)
    where = torch_device(device)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    worn: Worn | None = None
    source: dict[str, Any]
    if picture is not None:
        if len(person or []) > 1 or len(target or []) > 1:
            raise BadInput("--picture shows one person and takes one --target")
        pair, worn = photographed(picture, person[0] if person else None, target[0] if target else None, recogniser)
        drawn, source = [pair], {"picture": picture.name}
    else:
        folder = crops or attackers
        assert folder is not None
        drawn, from_folder = drawn_pairs(
            folder, recogniser, settings, person, target, dodge, pairs, aligned, crops is None
        )
        source = from_folder | {"strangers": crops is None, "dodge": dodge, "count": pairs}
        if photographs is not None:
            worn = worn_on(photographs, drawn, recogniser)
            source["photographs"] = photographs.resolve().name
    job = {
        "bundle": {"name": recogniser.bundle.info.name, "checksum": recogniser.bundle.checksum},
        "settings": dataclasses.asdict(settings),
        "source": source | {"person": person, "target": target},
        "engine": recogniser.engine,
        "defence": known_to(attack, recogniser),
    }
    store = Store(out, job, discard=again)
    records = with_progress(recogniser, drawn, settings, store, {"at_once": at_once, "device": where}, worn)
    manifest = finish(store, recogniser, settings, job, records)
    cli.write_json(json_file, manifest)
    share = manifest["summary"]["success"]
    cli.console.print(
        f"{share['right']} of {share['n']} pictures fool {manifest['bundle']['name']} ({manifest['engine']}),"
        f" 95 % interval {100 * share['low']:.1f}-{100 * share['high']:.1f} %; all in {out}"
    )
    if lost := sum(record.get("frames", []).count(None) for record in records):
        cli.console.print(f"no face was found on {lost} photographs: null among the manifest's frames")
    if source.get("known_to_bundle"):
        cli.console.print(
            f"{source['known_to_bundle']} of the folder's pictures are among those that the bundle was trained or"
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
    refuse_unknown("--shape", shape, known=WEARABLES)
    refuse_unknown("--eot", eot, known=get_args(View))
    if attack != "sharif" and (joint > 1 or total_variation or printability):
        raise BadInput(f"--attack {attack}: --joint, --total-variation and --printability belong to sharif")
    if attack not in ("sharif", "pgd", "lavan") and eot != "none":
        raise BadInput(f"--attack {attack}: adaptive attacks see the crop as it is; leave --eot out")
    return Settings(attack, shape, eot, steps, joint, total_variation, printability, seed, half_precision)  # type: ignore[arg-type]


def drawn_pairs(
    folder: Path,
    recogniser: Recogniser,
    settings: Settings,
    person: list[str] | None,
    target: list[str] | None,
    dodge: bool,
    count: int,
    aligned: bool,
    strangers: bool,
) -> tuple[list[Pair], dict[str, Any]]:
    """The pairs, and of the folder its pictures' digest and how many of them the bundle knows.

    Raises:
        BadInput: see ``read_people`` and ``draw_pairs``; an unknown person or target.
    """
    if strangers and dodge:
        raise BadInput("--dodge: strangers have no name to dodge; give --target or leave --dodge out")
    people = read_people([folder], allow_single=True, aligned=aligned)
    if strangers:
        people = unseen(people, [recogniser])
    source = {"people": people.digest(), "known_to_bundle": known_pictures(recogniser, people)}
    if person:
        people = people.of([index_of(name, people.names, "attacker", where=str(folder)) for name in person])
    places = labels_of(people, recogniser.labels, strangers=strangers)
    people = dataclasses.replace(people, crops=at_size(people.crops, recogniser.input_size))
    goals = [index_of(name, recogniser.labels, "target") for name in target or []]
    drawn = draw_pairs(
        people,
        places,
        recogniser.classify,
        count=count,
        seed=settings.seed,
        targets=goals or range(len(recogniser.labels)),
        dodge=dodge,
        joint=settings.joint,
    )
    return drawn, source


def with_progress(
    recogniser: Recogniser, pairs: list[Pair], settings: Settings, store: Store, how: dict[str, Any], worn: Worn | None
) -> list[dict[str, Any]]:
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
            **how,
            finished=lambda count: progress.advance(whole, count),
            watch=step,
            worn=worn,
        )


if __name__ == "__main__":
    cli.run_app(app)

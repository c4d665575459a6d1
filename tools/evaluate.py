"""The whole table by one command: ``python -m tools.evaluate CROPS --out FOLDER [--quick | --full]``.

Defences and baselines against an oblivious and several adaptive attackers, on faces that the head was not
fitted to. Success is counted on PNGs read back from disk, by the engine that runs live. Everything is kept in
``--out``: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import datetime
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from models.arrays import Bools, Bytes
from models.crop.wearables import WEARABLES, area
from models.crop.zones import ZONES as EVERY_ZONE
from models.crop.zones import checked_zones
from models.errors import BadInput, refuse_unknown
from models.network.vgg16 import VGG16
from models.recogniser import Recogniser, load_recogniser
from models.training.device import torch_device
from models.training.recipe import split
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.faces.realign import Realigner
from realtime.people.pictures import find_faces
from tools.attacks import ADAPTIVE
from tools.common.narrow import narrow
from tools.common.options import Aligned, Bfloat16, Device
from tools.common.provenance import command_line, commit_of_this_tree
from tools.crafting.attacked_faces import NOBODY, labelled
from tools.evaluation.band import train_band_head
from tools.evaluation.certificates import certificates
from tools.evaluation.curves import CURVES, write_curves
from tools.evaluation.defences import BAND, HARDENED, NAMES, NONE, PUBLISHED, TUNED, ZONES, make_defences
from tools.evaluation.double_masking import figures as double_masking
from tools.evaluation.facts import missing_of, provenance, short
from tools.evaluation.page import examples_of, html_page, markdown_page
from tools.evaluation.photographs import Camera
from tools.evaluation.plan import FULL, QUICK, ZONE_ATTACKS, Plan, checked_attacks
from tools.evaluation.plan import NAMES as ATTACKS
from tools.evaluation.published import PUBLISHED as ARTICLE
from tools.evaluation.run import Evaluation, evaluate, some_of
from tools.evaluation.tables import tables_of
from tools.evaluation.wearers import wearers
from tools.faces.people import People, read_people
from tools.faces.splits import TEST_LOG, Half, Split, held_out, log_look, people_of_split, unseen
from tools.tune_defence import ticking

RESULT = "evaluation.json"
PAGES = ("evaluation.md", "evaluation.html")
app = typer.Typer(add_completion=False, help="Evaluate defences and baselines against oblivious and adaptive attacks.")


@app.command()
def main(
    data: Annotated[list[Path], typer.Argument(help="Prepared crops: the training folders, or a test folder.")],
    out: Annotated[Path, typer.Option(help="Results; a rerun goes on where it stopped.")] = Path("runs/evaluate"),
    choice: Annotated[Split, typer.Option("--split", help="validation: held-out crops of the training folders.")] = (
        Split.validation
    ),
    bundle: Annotated[str, typer.Option(help="Bundle: a name or a folder.")] = "plain",
    full: Annotated[bool, typer.Option("--full/--quick", help="Everything (hours), or ten minutes' worth.")] = False,
    attack: Annotated[list[str] | None, typer.Option(help=f"Only these (repeat): {', '.join(ATTACKS)}.")] = None,
    defence: Annotated[list[str] | None, typer.Option(help=f"Only these (repeat): {', '.join(NAMES)}.")] = None,
    pairs: Annotated[int | None, typer.Option(min=1, help="Impersonations of the oblivious attack.")] = None,
    dodges: Annotated[int | None, typer.Option(min=1, help="Dodging attacks.")] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Most updates of the oblivious attack.")] = None,
    adaptive_pairs: Annotated[int | None, typer.Option(min=1, help="Pairs of each adaptive attack.")] = None,
    adaptive_steps: Annotated[int | None, typer.Option(min=0, help="Most updates of each adaptive attack.")] = None,
    accessory_pairs: Annotated[int | None, typer.Option(min=1, help="Pairs of each other thing worn.")] = None,
    zone_pairs: Annotated[int | None, typer.Option(min=1, help="Pairs of each attack on the zones' policy.")] = None,
    zone_steps: Annotated[int | None, typer.Option(min=0, help="Most updates of those, per restart.")] = None,
    clean: Annotated[int | None, typer.Option(min=1, help="Clean faces at most.")] = None,
    shape: Annotated[str, typer.Option(help=f"What the attackers wear: {', '.join(WEARABLES)}.")] = "classic",
    fitted: Annotated[
        list[Path] | None, typer.Option(help="With --split test: the training folders, to train the eye band's head.")
    ] = None,
    strangers: Annotated[Path | None, typer.Option(help="Prepared crops of people who are not enrolled.")] = None,
    hardened: Annotated[str | None, typer.Option(help="A bundle with zones: two defences more.")] = None,
    zone: Annotated[
        list[str] | None, typer.Option(help=f"It hides these, not its own (repeat): {', '.join(EVERY_ZONE)}.")
    ] = None,
    wearing: Annotated[
        Path | None, typer.Option("--wearers", help="List of pictures (person/file) of people who really wear glasses.")
    ] = None,
    photographs: Annotated[
        Path | None, typer.Option(help="What the crops were prepared from: glasses are worn there, faces found anew.")
    ] = None,
    detect: Annotated[bool, typer.Option(help="Look whether a detector still finds the attacked faces.")] = True,
    certify: Annotated[bool, typer.Option(help="With --hardened: the certificates (ten minutes).")] = True,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    engine: Annotated[str, typer.Option(help="What counts; an ONNX Runtime engine.")] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    half_precision: Bfloat16 = False,
    device: Device = "auto",
    log: Annotated[Path, typer.Option(help="Where looks at a test split are written down.")] = TEST_LOG,
    json_file: cli.JsonFile = None,
) -> None:
    """Craft, measure, write JSON, Markdown, HTML and curves."""
    cli.check_writable(json_file)
    refuse_unknown("--shape", shape, known=WEARABLES)
    if zone and hardened is None:
        raise BadInput("--zone: hides zones for a bundle that has views of them; give it as --hardened")
    numbers = {
        "clean": clean,
        "pairs": pairs,
        "dodges": dodges,
        "steps": steps,
        "adaptive_pairs": adaptive_pairs,
        "adaptive_steps": adaptive_steps,
        "accessory_pairs": accessory_pairs,
        "zone_pairs": zone_pairs,
        "zone_steps": zone_steps,
    }
    plan = _plan(full, attack, numbers, strangers)
    plan = replace(plan, half_precision=half_precision, device=torch_device(device).type)
    # the band's head takes minutes of its own, so ten minutes' worth does without it unless asked for
    wanted = list(defence or (NAMES if full else [name for name in NAMES if name != BAND]))
    started = time.perf_counter()
    torch.set_num_threads(threads)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    second = None if hardened is None else _hardened(recogniser, hardened, zone or [], engine, threads)
    if second is None and recogniser.zones:
        second = recogniser  # its own defence, as it is live
    bundles = [recogniser] if second in (None, recogniser) else [recogniser, second]
    make_defences(recogniser, wanted, band_model=None, seed=seed)  # an unknown name is told before hours of work
    _refuse_idle(attack or [], wanted, second)
    people = read_people(data, allow_single=True, aligned=aligned)
    measured = people_of_split(recogniser, people, choice)
    for one in bundles[1:]:
        if people_of_split(one, people, choice).digest() != measured.digest():
            raise BadInput(f"--hardened {hardened}: was validated on other faces than the first bundle")
    real_glasses = None if wearing is None else wearers(measured, wearing)
    if choice is Split.test:  # before anything is seen, so that an interrupted run has been logged too
        used = {"bundle_sha256": recogniser.bundle.checksum}
        used |= {} if second is None else {"hardened_sha256": second.bundle.checksum}
        log_look(log, {"begun": "evaluate"} | used, command="tools.evaluate")
    for earlier in (RESULT, *PAGES, *CURVES):  # the result comes last: a folder without one is not finished
        (out / earlier).unlink(missing_ok=True)
    others = None
    if strangers is not None:
        others = unseen(read_people([strangers], allow_single=True, aligned=True), bundles, Half.measuring)
    training = people if choice is Split.validation else None
    if fitted:
        training = read_people(fitted, allow_single=True, aligned=aligned)
    band_model = None
    if BAND in wanted and training is not None:
        cli.console.print("training a head for the hidden eye band (kept for the next run)")
        band_model = _band_head(recogniser, training, out, seed)
    defences = make_defences(recogniser, [NONE, *wanted], band_model=band_model, seed=seed, hardened=second)
    detector = MtcnnDetector(min_face=40) if detect or photographs is not None else None
    with ticking() as tick:
        found = evaluate(
            recogniser,
            measured,
            defences,
            plan,
            out,
            shape=shape,
            seed=seed,
            strangers=others,
            hardened=second,
            wearing=real_glasses,
            camera=None if photographs is None else Camera(photographs, detector, Realigner(), recogniser.input_size),
            finds_face=_finder(detector) if detect else None,
            tick=tick,
        )
    missing = missing_of(recogniser, wanted, band_model, plan, strangers)
    if second is None and (HARDENED in wanted or ZONES in wanted):
        missing.append("zone views (the bundle has none, and no --hardened)")
    if second is not None and not (certify and (full or hardened is not None)):
        missing.append("certificates (--no-certify, or --quick without --hardened)")
    elif second is not None:
        crops, labels = found.clean
        found.figures["certificates"] = certificates(second, crops, labels)
        if others is not None:
            foreign, whose = some_of(others, second, seed)
            nobody = np.full(len(foreign), NOBODY)
            found.figures["certificates"]["strangers"] = certificates(second, foreign, nobody, people=whose)
    if "patch" in found.attacked:
        found.figures["double_masking"] = _double_masking(second or recogniser, found)
    facts = {
        "command": command_line("tools.evaluate"),
        "commit": commit_of_this_tree(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "bundle": f"{recogniser.bundle.info.name}, SHA-256 {recogniser.bundle.checksum[:16]}",
        "engine": recogniser.engine,
        "split": f"{choice.value}: {len(measured)} crops, {provenance(recogniser)}",
        "seed": seed,
        "glasses": f"{shape}, {100 * area(shape, recogniser.input_size):.1f} % of the crop",
        "left out": "; ".join(missing) or "nothing",
        "seconds of this run": round(time.perf_counter() - started, 1),
    }
    result = {
        "facts": facts,
        "plan": asdict(plan),
        "threshold": recogniser.policy.threshold,
        "defences": {row.name: {"title": row.title, "settings": row.settings} for row in defences},
        "published": {key: {"before": before, "after": after} for key, (before, after) in ARTICLE.items()},
        **found.figures,
    }
    tables = tables_of(found.figures, defences, recogniser.policy.threshold)
    curves = write_curves(found, defences, recogniser.labels, out)
    shown = next((row for name in (TUNED, PUBLISHED) for row in defences if row.name == name), defences[-1])
    examples = examples_of(recogniser, found.attacked["sharif"], shown) if "sharif" in found.attacked else []
    title = f"Evaluation of {recogniser.bundle.info.name} ({choice.value})"
    cli.write_whole(out / PAGES[0], markdown_page(title, facts, tables, curves).encode())
    cli.write_whole(out / PAGES[1], html_page(title, facts, tables, curves, examples, shown.title).encode())
    cli.write_json(out / RESULT, result)
    cli.write_json(json_file, result)
    if choice is Split.test:
        log_look(log, short(result), command="tools.evaluate")
    cli.console.print(narrow(tables[0].markdown(), cli.console.width), markup=False, highlight=False)
    cli.console.print(f"evaluation.html, evaluation.md and evaluation.json in {out}")


def _plan(full: bool, attack: list[str] | None, numbers: dict[str, int | None], strangers: Path | None) -> Plan:
    plan = FULL if full else QUICK
    if attack:
        plan = replace(plan, attacks=checked_attacks(attack))
        if any("strangers" in name for name in attack) and strangers is None:
            raise BadInput("--attack strangers: give their prepared crops with --strangers FOLDER")
    return replace(plan, **{key: value for key, value in numbers.items() if value is not None})


def _refuse_idle(attacks: Sequence[str], defences: Sequence[str], hardened: Recogniser | None) -> None:
    """Raises ``BadInput`` for an attack that was asked for and has no row to be made against."""
    for name in attacks:
        if name in ADAPTIVE and not {PUBLISHED, TUNED} & set(defences):
            raise BadInput(f"--attack {name}: is made against the saliency mask; add --defence published or tuned")
        if name in ZONE_ATTACKS and (hardened is None or ZONES not in defences):
            raise BadInput(f"--attack {name}: is made against zone views; add --hardened BUNDLE and --defence zones")


def _hardened(plain: Recogniser, bundle: str, zones: Sequence[str], engine: str, threads: int) -> Recogniser:
    """The second bundle, with other zones hidden than its own where some are given.

    Raises:
        BadInput: it knows other people, another crop, or hides no zone; no such zone.
    """
    second = load_recogniser(bundle, engine, threads=threads)
    second.zones = checked_zones(zones) or second.zones
    if second.labels != plain.labels or second.input_size != plain.input_size:
        raise BadInput(f"--hardened {bundle}: knows other people or takes other crops than the first bundle")
    if not second.zones:
        raise BadInput(f"--hardened {bundle}: its policy hides no zone; train it with tools.train fit --zone eyewear")
    return second


def _double_masking(recogniser: Recogniser, found: Evaluation, most: int = 60) -> dict[str, Any]:
    """On a sample: it takes a hundred forwards and more per face."""
    crops, labels = found.clean
    worn = found.attacked["patch"].first(most)
    side = math.ceil(math.sqrt(float(worn.region.sum())))
    faces = (crops[:most], labels[:most], worn.adversarial, worn.labels, worn.targets)
    return double_masking(recogniser.classify, recogniser.fill_rgb, *faces, patch=side)


def _band_head(recogniser: Recogniser, training: People, out: Path, seed: int) -> VGG16:
    """The head for the hidden eye band, trained on what the bundle was trained on."""
    held = held_out(recogniser, training)
    share = recogniser.bundle.info.training["settings"]
    fitted, _ = split(training.labels, share=share["validation_share"], seed=share["seed"])
    crops, labels = labelled(training.subset(fitted), recogniser)
    return train_band_head(recogniser, crops, labels, *labelled(held, recogniser), folder=out / "band", seed=seed)


def _finder(detector: FaceDetector) -> Any:
    def finds(crops: Bytes) -> Bools:
        return np.array([bool(find_faces(detector, np.ascontiguousarray(crop[..., ::-1]))) for crop in crops])

    return finds


if __name__ == "__main__":
    cli.run_app(app)

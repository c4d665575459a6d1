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

import torch
import typer

from models.crop.wearables import area
from models.recogniser import Recogniser
from models.training.device import torch_device
from tools.attacks.registry import OBLIVIOUS
from tools.common.narrow import narrow
from tools.common.options import Aligned, Bfloat16, Device
from tools.common.progress import ticking
from tools.common.provenance import command_line, commit_of_this_tree
from tools.crafting.attacked_faces import nobody
from tools.evaluation import options as of
from tools.evaluation.certificates import certificates
from tools.evaluation.curves import CURVES, write_curves
from tools.evaluation.defences import BAND, HARDENED, NONE, PUBLISHED, TUNED, ZONES, Defence, make_defences
from tools.evaluation.double_masking import figures as double_masking
from tools.evaluation.facts import missing_of, provenance, short
from tools.evaluation.figures import DoubleMasking
from tools.evaluation.measurement import Conditions, Evaluation
from tools.evaluation.page import examples_of, html_page, markdown_page
from tools.evaluation.plan import FULL, QUICK
from tools.evaluation.published import PUBLISHED as ARTICLE
from tools.evaluation.request import Loaded, Request, band_head, load, planned, wanted_defences
from tools.evaluation.run import evaluate, some_of
from tools.evaluation.tables import tables_of
from tools.faces.splits import TEST_LOG, Split, log_look
from tools.fan_out.fan import fanned_out
from tools.fan_out.option import Ray, WithRay

RESULT = "evaluation.json"
PAGES = ("evaluation.md", "evaluation.html")
app = typer.Typer(add_completion=False, help="Evaluate defences and baselines against oblivious and adaptive attacks.")


@app.command(cls=WithRay)
def main(  # noqa: PLR0913 - a command's options
    data: of.Data,
    out: of.Out = Path("runs/evaluate"),
    choice: of.Choice = Split.validation,
    bundle: of.BundleName = "plain",
    full: of.Full = False,
    attack: of.Attacks = None,
    defence: of.Defences = None,
    pairs: of.Pairs = None,
    dodges: of.Dodges = None,
    steps: of.Steps = None,
    adaptive_pairs: of.AdaptivePairs = None,
    adaptive_steps: of.AdaptiveSteps = None,
    accessory_pairs: of.AccessoryPairs = None,
    zone_pairs: of.ZonePairs = None,
    zone_steps: of.ZoneSteps = None,
    clean: of.Clean = None,
    shape: of.Shape = "classic",
    fitted: of.Fitted = None,
    strangers: of.StrangersFolder = None,
    hardened: of.Hardened = None,
    zone: of.HiddenZones = None,
    wearing: of.Wearers = None,
    photographs: of.Photographs = None,
    detect: of.Detect = True,
    certify: of.Certify = True,
    seed: of.Seed = 0,
    engine: of.Engine = "onnxruntime",
    threads: of.Threads = 2,
    aligned: Aligned = False,
    half_precision: Bfloat16 = False,
    device: Device = "auto",
    ray: Ray = None,
    log: of.Log = TEST_LOG,
    json_file: cli.JsonFile = None,
) -> None:
    """Craft, measure, write JSON, Markdown, HTML and curves."""
    cli.check_writable(json_file)
    numbers = {"clean": clean, "pairs": pairs, "dodges": dodges, "steps": steps, "accessory_pairs": accessory_pairs}
    numbers |= {"adaptive_pairs": adaptive_pairs, "adaptive_steps": adaptive_steps}
    numbers |= {"zone_pairs": zone_pairs, "zone_steps": zone_steps}
    plan = planned(FULL if full else QUICK, attack or [], numbers, strangers)
    plan = replace(plan, half_precision=half_precision, device=torch_device(device).type)
    wanted = wanted_defences(defence or [], full=full)
    where = (data, out, choice, bundle, full, plan, attack or [], wanted, shape, fitted or [], strangers, hardened)
    request = Request(*where, zone or [], wearing, photographs, detect, certify, seed, engine, threads, aligned, ray)
    request.check()
    run(request, log, json_file)


def run(request: Request, log: Path, json_file: Path | None) -> None:
    """The whole evaluation, from reading the faces to writing the pages."""
    started = time.perf_counter()
    torch.set_num_threads(request.threads)
    loaded = load(request)
    recogniser, second = loaded.recogniser, loaded.hardened
    if request.choice is Split.test:  # before anything is seen, so that an interrupted run has been logged too
        used = {"bundle_sha256": recogniser.bundle.checksum}
        used |= {} if second is None else {"hardened_sha256": second.bundle.checksum}
        log_look(log, {"begun": "evaluate"} | used, command="tools.evaluate")
    for earlier in (RESULT, *PAGES, *CURVES):  # the result comes last: a folder without one is not finished
        (request.out / earlier).unlink(missing_ok=True)
    band_model = None
    if BAND in request.wanted and loaded.training is not None:
        cli.console.print("training a head for the hidden eye band (kept for the next run)")
        band_model = band_head(loaded, loaded.training, request.out, request.seed)
    names = [NONE, *request.wanted]
    defences = make_defences(recogniser, names, band_model=band_model, seed=request.seed, hardened=second)
    with (
        fanned_out(request.ray, request.engine, request.threads, torch.device(request.plan.device)) as fan,
        ticking() as tick,
    ):
        under = Conditions(request.plan, request.out, request.shape, request.seed, loaded.finds_face, tick, fan)
        found = evaluate(recogniser, loaded.subjects, defences, under, hardened=second)
    missing = missing_of(recogniser, request.wanted, band_model, request.plan, request.strangers)
    missing += add_certificates(found, loaded, request)
    if "patch" in found.attacked:
        found.figures["double_masking"] = patch_masked_twice(second or recogniser, found)
    facts = facts_of(request, loaded, missing, time.perf_counter() - started)
    write(request, loaded, found, defences, facts, json_file)
    if request.choice is Split.test:
        log_look(log, {**short(found.figures)}, command="tools.evaluate")


def facts_of(request: Request, loaded: Loaded, missing: Sequence[str], seconds: float) -> dict[str, object]:
    """What is said about the figures beside them."""
    recogniser, size = loaded.recogniser, len(loaded.subjects.people)
    return {
        "command": command_line("tools.evaluate"),
        "commit": commit_of_this_tree(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "bundle": f"{recogniser.bundle.info.name}, SHA-256 {recogniser.bundle.checksum[:16]}",
        "engine": recogniser.engine,
        "split": f"{request.choice.value}: {size} crops, {provenance(recogniser)}",
        "seed": request.seed,
        "glasses": f"{request.shape}, {100 * area(request.shape, recogniser.input_size):.1f} % of the crop",
        "left out": "; ".join(missing) or "nothing",
        "seconds of this run": round(seconds, 1),
    }


def write(
    request: Request,
    loaded: Loaded,
    found: Evaluation,
    defences: Sequence[Defence],
    facts: dict[str, object],
    json_file: Path | None,
) -> None:
    """The curves, the pages and, last, the result."""
    recogniser, out = loaded.recogniser, request.out
    threshold = recogniser.policy.threshold
    result = {
        "facts": facts,
        "plan": asdict(request.plan),
        "threshold": threshold,
        "defences": {one.name: {"title": one.title, "settings": one.settings} for one in defences},
        "published": {key: {"before": before, "after": after} for key, (before, after) in ARTICLE.items()},
        **found.figures,
    }
    tables = tables_of(found.figures, defences, threshold)
    curves = write_curves(found, defences, recogniser.labels, out)
    shown = next((one for name in (TUNED, PUBLISHED) for one in defences if one.name == name), defences[-1])
    attacked = found.attacked.get(OBLIVIOUS)
    examples = [] if attacked is None else examples_of(recogniser, attacked, shown)
    title = f"Evaluation of {recogniser.bundle.info.name} ({request.choice.value})"
    cli.write_whole(out / PAGES[0], markdown_page(title, facts, tables, curves).encode())
    cli.write_whole(out / PAGES[1], html_page(title, facts, tables, curves, examples, shown.title).encode())
    cli.write_json(out / RESULT, result)
    cli.write_json(json_file, result)
    cli.console.print(narrow(tables[0].markdown(), cli.console.width), markup=False, highlight=False)
    cli.console.print(f"evaluation.html, evaluation.md and evaluation.json in {out}")


def add_certificates(found: Evaluation, loaded: Loaded, request: Request) -> list[str]:
    """The certificates of the zone views, into the figures; gives what is missing of them."""
    second, others = loaded.hardened, loaded.subjects.strangers
    if second is None:
        return (
            ["zone views (the bundle has none, and no --hardened)"] if {HARDENED, ZONES} & set(request.wanted) else []
        )
    if not (request.certify and (request.full or request.hardened is not None)):
        return ["certificates (--no-certify, or --quick without --hardened)"]
    certified = certificates(second, *found.clean)
    if others is not None:
        foreign, whose = some_of(others, second, request.seed)
        certified["strangers"] = certificates(second, foreign, nobody(len(foreign)), people=whose)
    found.figures["certificates"] = certified
    return []


def patch_masked_twice(recogniser: Recogniser, found: Evaluation, most: int = 60) -> DoubleMasking:
    """Double masking on a sample: it takes a hundred forwards and more per face."""
    crops, labels = found.clean
    worn = found.attacked["patch"].first(most)
    side = math.ceil(math.sqrt(float(worn.region.sum())))
    faces = (crops[:most], labels[:most], worn.adversarial, worn.labels, worn.targets)
    return double_masking(recogniser.classify, recogniser.fill_rgb, *faces, patch=side)


if __name__ == "__main__":
    cli.run_app(app)

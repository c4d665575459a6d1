"""Measures what 8-bit engines cost in accuracy, and stores in the bundle which are accepted.

Clean faces are the held-out ones of the training folders; attacked faces are crafted against the float32
network. A lower precision is accepted if it costs at most half a point of accuracy on both, and on clean
faces through the defence.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

import numpy as np
import onnx
import typer
from rich.table import Table

from models.arrays import Bools, Bytes, Floats, Labels
from models.bundle import Bundle, load_bundle, write_description
from models.engines import make_engine
from models.graphs.int8 import measure_ranges
from models.policy import decide, final_probabilities
from models.recogniser import Recogniser
from tools.attacks.settings import Settings
from tools.common.options import Bfloat16
from tools.common.report import Proportion, percent, proportion
from tools.crafting.attacked_faces import attacked_faces, labelled
from tools.faces.people import People, at_size, read_people
from tools.faces.splits import held_out

app = typer.Typer(add_completion=False, help=__doc__)

REFERENCE = "onnxruntime-cpu"
ALLOWED_POINTS = 0.5
_AT_ONCE = 8


@dataclass(frozen=True)
class Answers:
    """What one engine says of N crops."""

    raw: Floats  # (N, K)
    defended: Floats  # (N, K), the policy's final probabilities
    masks: Bools  # (N, S, S)
    decisions: tuple[tuple[str, str | None, str | None], ...]


def answers(recogniser: Recogniser, crops: Bytes) -> Answers:
    """The defended pass over (N, S, S, 3) crops."""
    parts = [recogniser.defend(crops[start : start + _AT_ONCE]) for start in range(0, len(crops), _AT_ONCE)]
    each = [one for part in parts for one in part]
    decided = [decide(one, recogniser.policy) for one in each]
    return Answers(
        raw=np.concatenate([part.raw for part in parts]),
        defended=np.stack([final_probabilities(one, recogniser.policy) for one in each]),
        masks=np.concatenate([part.mask for part in parts]),
        decisions=tuple((decision.state, decision.identity, decision.claimed) for decision in decided),
    )


class Names(TypedDict):
    """Whom one engine names, beside the reference; ``cost_points`` are percentage points of accuracy."""

    accuracy: Proportion
    reference: Proportion
    cost_points: float
    lost: int
    gained: int


class Compared(TypedDict):
    """One engine beside the reference on the same n crops."""

    n: int
    undefended: Names
    defended: Names
    mask_iou: float
    masked_share: dict[str, float]
    same_decisions: Proportion


def compared(found: Answers, wanted: Answers, labels: Labels) -> Compared:
    """One engine against the reference on the same crops: accuracies, their cost in points, masks, decisions."""

    def names(mine: Floats, reference: Floats) -> Names:
        right, before = mine.argmax(axis=1) == labels, reference.argmax(axis=1) == labels
        return {
            "accuracy": proportion(int(right.sum()), len(labels)),
            "reference": proportion(int(before.sum()), len(labels)),
            "cost_points": round(100 * float(before.mean() - right.mean()), 2),
            "lost": int((before & ~right).sum()),
            "gained": int((right & ~before).sum()),
        }

    same = sum(mine == other for mine, other in zip(found.decisions, wanted.decisions, strict=True))
    return {
        "n": len(labels),
        "undefended": names(found.raw, wanted.raw),
        "defended": names(found.defended, wanted.defended),
        "mask_iou": round(float(np.mean(list(_overlaps(found.masks, wanted.masks)))), 4),
        "masked_share": {
            "this": round(float(found.masks.mean()), 4),
            "reference": round(float(wanted.masks.mean()), 4),
        },
        "same_decisions": proportion(same, len(labels)),
    }


def accepted(found: Mapping[str, Compared]) -> bool:
    """Whether what ``compared`` found on clean and on attacked faces is within the allowed cost."""
    costs = [found["clean"]["undefended"]["cost_points"], found["clean"]["defended"]["cost_points"]]
    if "attacked" in found:
        costs.append(found["attacked"]["defended"]["cost_points"])
    return "attacked" in found and max(costs) <= ALLOWED_POINTS


class OfEngine(TypedDict):
    """What an engine runs as, and what it costs."""

    runs: str
    clean: Compared
    accepted: bool
    attacked: NotRequired[Compared]


class Precision(TypedDict):
    bundle: str
    engines: dict[str, OfEngine]
    accepted: list[str]


def with_ranges(bundle: Bundle, people: People, measured_on: People, count: int = 40) -> Bundle:
    """The bundle with ranges from its training crops (none of which is measured on), in memory only."""
    used = set(measured_on.pictures)
    rest = np.array([index for index, picture in enumerate(people.pictures) if picture not in used])
    chosen = np.random.default_rng(0).permutation(rest)[:count]
    crops = at_size(people.crops[np.sort(chosen)], bundle.info.input_size)
    ranges = measure_ranges(onnx.load(str(bundle.classifier_path)), bundle.info.trunk.spec, crops)
    rounded = {name: float(f"{value:.5g}") for name, value in ranges.items()}
    return _with_record(bundle, {"ranges": rounded, "crops": len(crops)})


def measure(
    bundle: Bundle,
    people: People,
    engines: Sequence[str],
    *,
    attacks: int,
    steps: int,
    folder: Path,
    threads: int,
    half_precision: bool = False,
) -> tuple[Bundle, Precision]:
    """Each engine against float32; the bundle comes back with ranges and verdict in its calibration record.

    Raises:
        BadInput: no such engine, or it cannot run here; told before the attacked faces are made.
    """
    reference = Recogniser(bundle, make_engine(REFERENCE, bundle, threads=threads))
    clean = held_out(reference, people)
    crops, labels = labelled(clean, reference)
    prepared = with_ranges(bundle, people, clean)
    recognisers = {name: Recogniser(prepared, make_engine(name, prepared, threads=threads)) for name in engines}
    sets: dict[str, tuple[Bytes, Labels]] = {"clean": (crops, labels)}
    if attacks:
        settings = Settings(steps=steps, half_precision=half_precision)
        made = attacked_faces(reference, clean, settings, attacks, folder, name="precision", at_once=_AT_ONCE)
        sets["attacked"] = (made.adversarial, made.labels)
    wanted = {kind: answers(reference, faces) for kind, (faces, _) in sets.items()}
    results: dict[str, OfEngine] = {}
    for name, recogniser in recognisers.items():
        found = {
            kind: compared(answers(recogniser, faces), wanted[kind], truth) for kind, (faces, truth) in sets.items()
        }
        results[name] = {"runs": recogniser.engine, "clean": found["clean"], "accepted": accepted(found)}
        if "attacked" in found:
            results[name]["attacked"] = found["attacked"]
    verdict = [name for name, result in results.items() if result["accepted"]]
    record = {**prepared.info.calibration["int8"], "accepted": verdict, "measured": results}
    return _with_record(bundle, record), {"bundle": bundle.info.name, "engines": results, "accepted": verdict}


def _with_record(bundle: Bundle, record: Mapping[str, object]) -> Bundle:
    calibration = {**bundle.info.calibration, "int8": dict(record)}
    return Bundle(bundle.folder, bundle.info.model_copy(update={"calibration": calibration}))


def _overlaps(found: Bools, wanted: Bools) -> Iterator[float]:
    """Intersection over union of each mask; two empty ones agree."""
    for mine, other in zip(found, wanted, strict=True):
        union = int((mine | other).sum())
        yield 1.0 if union == 0 else int((mine & other).sum()) / union


@app.command()
def main(
    crops: Annotated[list[Path], typer.Argument(help="The prepared folders that the bundle was trained on.")],
    bundle: Annotated[str | None, typer.Option("--bundle", help="Name or folder; none: the embedded one.")] = None,
    engine: Annotated[list[str] | None, typer.Option("--engine", help="Engines to measure.")] = None,
    attacks: Annotated[
        int, typer.Option("--attacks", min=0, help="Attacked faces; 0: none, then nothing is accepted.")
    ] = 60,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of the attack.")] = 300,
    folder: Annotated[Path, typer.Option("--out", help="Attacked faces are kept here.")] = Path("runs/precision"),
    half_precision: Bfloat16 = False,
    threads: Annotated[int, typer.Option("--threads", min=1)] = 2,
    store: Annotated[bool, typer.Option("--store", help="Write ranges and verdict into the bundle.")] = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Compare 8-bit engines with float32 on held-out and on attacked faces."""
    cli.check_writable(json_file)
    opened = load_bundle(bundle)
    people = read_people(crops, allow_single=True)
    engines = engine or ["onnxruntime-int8"]
    measured, result = measure(
        opened,
        people,
        engines,
        attacks=attacks,
        steps=steps,
        folder=folder,
        threads=threads,
        half_precision=half_precision,
    )
    table = Table("engine", "faces", "undefended", "cost", "defended", "cost", "mask IoU", "same decisions")
    for name, found in result["engines"].items():
        for kind, row in (("clean", found["clean"]), ("attacked", found.get("attacked"))):
            if row is not None:
                plain, defended = row["undefended"], row["defended"]
                table.add_row(
                    name,
                    kind,
                    percent(plain["accuracy"]),
                    f"{plain['cost_points']:+.2f}",
                    percent(defended["accuracy"]),
                    f"{defended['cost_points']:+.2f}",
                    f"{row['mask_iou']:.3f}",
                    percent(row["same_decisions"]),
                )
    cli.write_json(json_file, result)
    cli.console.print(table)
    cli.console.print(f"accepted for engine: auto: {', '.join(result['accepted']) or 'none'}")
    if store:
        write_description(opened.folder, measured.info)


if __name__ == "__main__":
    cli.run_app(app)

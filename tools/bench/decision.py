"""What a decision costs: classify, saliency, mask, classify again, and the whole of it, per engine, size and batch.

The baseline is the bare float32 forward of the classifier in ONNX Runtime on the CPU: what others pay for an
undefended answer. It runs right before every measured pass, and ratios are taken pair by pair. Where zones have the
say, their views are part of the stage ``saliency``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict, final

import numpy as np

from models.arrays import Bytes
from models.bundle import Bundle
from models.crop.zones import Zone
from models.engines import ENGINES, Engine, make_engine
from models.errors import BadInput
from models.recogniser import Recogniser, recogniser_for
from realtime.cameras.demo_scene import DemoScene
from tools.bench import scene as scenes
from tools.bench.looks import LiveLooks
from tools.bench.timing import Spread, milliseconds, paired_ratio, spread
from tools.bench.untrained import bundle_of_size

BASELINE = "onnxruntime-cpu"
BASELINE_IN_WORDS = "bare float32 forward of the classifier in ONNX Runtime, same batch, threads and run"
STAGES = ("classify", "saliency", "mask", "reclassify", "whole")
_CANDIDATES = 30  # frames of the scene among which faces with the wanted kind of mask are looked for
_ROUND = 6  # views rest for one decision of two, an explanation serves three


@dataclass(frozen=True)
class Plan:
    """What to measure. ``engines`` empty: every engine that this machine's processor can run; ``zones`` empty: the
    bundle's."""

    engines: tuple[str, ...] = ()
    sizes: tuple[int, ...] = (112, 224)
    batches: tuple[int, ...] = (1, 4)
    repeats: int = 15
    threads: int = 2
    zones: tuple[Zone, ...] = ()


class Times(TypedDict):
    """Per pass over the whole batch, by stage; ``ratio``: to the bare forward over the same batch."""

    masked_share: float
    bare_forward_ms: Spread
    ms: dict[str, Spread]
    ratio: dict[str, Spread]
    decisions_per_second: float


class Case(TypedDict):
    """What is measured; ``runs``: what the engine says that it is."""

    engine: str
    runs: str
    size: int
    batch: int
    faces: str
    bundle: str
    zones: list[str]


@final
class Measured(Case, Times):
    """A case and its times."""


@final
class NoFace(Case):
    """A case that cannot be measured, and why."""

    left_out: str


@final
class NoEngine(TypedDict):
    """An engine that cannot run here, and why."""

    engine: str
    size: int
    left_out: str


Row = Measured | NoFace | NoEngine


def engines_here() -> tuple[str, ...]:
    """Every engine for the processor whose package is installed, the baseline's first."""
    names = [
        name for name, kind in ENGINES.items() if kind.installed and kind.device not in ("auto", "cuda", "tensorrt")
    ]
    return tuple(sorted(names, key=lambda name: name != BASELINE))


def measure(bundle: Bundle, plan: Plan, folder: Path) -> list[Row]:
    """A row per size, batch, engine and kind of face; ``folder`` takes bundles that are made on the fly."""
    return [row for size in plan.sizes for row in _rows_of_size(bundle_of_size(bundle, size, folder / str(size)), plan)]


def _rows_of_size(bundle: Bundle, plan: Plan) -> Iterator[Row]:
    baseline = make_engine(BASELINE, bundle, threads=plan.threads)
    recognisers: dict[str, Recogniser] = {}
    for name in plan.engines or engines_here():
        try:
            recognisers[name] = recogniser_for(bundle, name, threads=plan.threads)
        except BadInput as error:  # one that is not installed is no reason to measure nothing
            yield {"engine": name, "size": bundle.info.input_size, "left_out": str(error)}
    faces = pick_faces(Recogniser(bundle, baseline))
    for batch in plan.batches:
        for name, recogniser in recognisers.items():
            for kind, crops in faces.items():
                repeated = crops[np.arange(batch) % len(crops)] if len(crops) else crops
                recogniser.zones = plan.zones or recogniser.zones
                case: Case = {
                    "engine": name,
                    "runs": recogniser.engine,
                    "size": bundle.info.input_size,
                    "batch": batch,
                    "faces": kind,
                    "bundle": bundle.info.name,
                    "zones": list(recogniser.zones),
                }
                if len(crops) == 0:
                    yield {**case, "left_out": "no such face was found in the scene"}
                else:
                    yield {**case, **measure_engine(recogniser, baseline, repeated, plan.repeats)}


def pick_faces(recogniser: Recogniser) -> dict[str, Bytes]:
    """``clean``: bare faces as they come; ``attacked``: faces with the demo's glasses whose mask is not empty."""
    scene = DemoScene()
    size = recogniser.input_size
    clean = scenes.crops_of(scene, scenes.CLEAN, size, 8)
    worn = scenes.crops_of(scene, scenes.ATTACKED, size, _CANDIDATES)
    masked = np.concatenate([recogniser.defend(worn[i : i + 1]).mask.any(axis=(1, 2)) for i in range(len(worn))])
    return {"clean": clean, "attacked": worn[masked][:8]}


def measure_engine(recogniser: Recogniser, baseline: Engine, crops: Bytes, repeats: int) -> Times:
    """Times per pass over ``crops`` (the whole batch), and ratios to the baseline's pass over the same batch.

    Where zones have the say there is a stage more, ``quick``: the decision as it is taken live on settled faces, which
    looks at the saliency of alarms only, and at further views in turn: the mean of ``_ROUND`` decisions, after which
    the turns begin again.
    """
    names = (*STAGES, "quick") if recogniser.zones else STAGES
    times: dict[str, list[float]] = {stage: [] for stage in names}
    bare: list[float] = []
    masked = recogniser.defend(crops).mask.any(axis=(1, 2))  # also the first run, which allocates
    live = LiveLooks(recogniser, len(crops))
    live.settle(crops)
    baseline.outputs(crops)
    recogniser.classify(crops)
    for _ in range(repeats):
        bare.append(milliseconds(lambda: baseline.outputs(crops)))
        times["classify"].append(milliseconds(lambda: recogniser.classify(crops)))
        stages: dict[str, float] = {}
        times["whole"].append(milliseconds(partial(recogniser.defend, crops, stage_ms=stages)))
        for stage in ("saliency", "mask", "reclassify"):
            times[stage].append(stages[stage])
        if recogniser.zones:
            turns = [milliseconds(partial(live.decide, crops)) for _ in range(_ROUND)]
            times["quick"].append(sum(turns) / _ROUND)
    return {
        "masked_share": round(float(masked.mean()), 3),
        "bare_forward_ms": spread(bare),
        "ms": {stage: spread(values) for stage, values in times.items()},
        "ratio": {stage: paired_ratio(times[stage], bare) for stage in names if stage not in ("mask", "reclassify")},
        "decisions_per_second": round(len(crops) * 1e3 / spread(times["whole"])["p50"], 2),
    }


def headline(rows: Sequence[Row]) -> list[str]:
    """The figures that are asked for first, in words."""
    lines = []
    for row in rows:
        if "ratio" in row and row["batch"] == 1 and row["faces"] == "attacked":
            ratio = row["ratio"]
            lines.append(
                f"{row['size']}, {row['engine']}: of the bare forward, logits"
                f"{', zone views' if 'quick' in ratio else ''} and saliency take "
                f"{ratio['saliency']['p50']:.2f} x, a whole decision on an attacked face {ratio['whole']['p50']:.2f} x"
                + (f", as it is taken live {ratio['quick']['p50']:.2f} x" if "quick" in ratio else "")
            )
    return lines

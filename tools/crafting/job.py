"""Runs the attack over the pairs, keeps every result on disk, counts success on what was read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from models.arrays import Bytes
from models.crop.wearables import frame_mask
from models.crop.zones import Zone, zone_mask
from models.errors import BadInput
from models.recogniser import Recogniser
from models.training.device import CPU, tf32
from tools.attacks import ADAPTIVE, EOT, SCENE, Attack, AttackResult, MaskDefence, MaskedPGD, Sharif, ZonePolicy
from tools.attacks.base import Watch
from tools.attacks.half_precision import HalfPrecision
from tools.attacks.remembered import Remembered
from tools.common.report import proportion
from tools.crafting.pairs import STRANGER, Pair
from tools.crafting.store import Store, read_png
from tools.crafting.texture import rgba_of

View = Literal["none", "physical", "scene"]
#: Of a pair and its RGBA accessory, the whole frame (H, W, 3) BGR that each of its pictures becomes; None: no face.
Worn = Callable[[Pair, Bytes], list[Bytes | None]]
ATTACKS = ("sharif", "pgd", "lavan", "zones", *ADAPTIVE)
VIEWS: dict[View, EOT | None] = {"none": None, "physical": EOT(), "scene": SCENE}
CONFIDENT = 0.8
AT_ONCE = 8
AT_ONCE_ON_GPU = 48


@dataclass(frozen=True)
class Settings:
    """What decides the result, beside the bundle and the pictures.

    ``half_precision`` takes gradients in bfloat16 (twice as fast where the CPU has AVX-512 BF16); what counts is
    always what the engine says of the pictures on disk.
    ``total_variation`` and ``printability`` None: Sharif et al.'s 3 and 5 with ``eot`` physical, otherwise 0.
    """

    attack: str = "sharif"
    shape: str = "classic"
    eot: View = "none"
    steps: int = 300
    joint: int = 1
    total_variation: float | None = None
    printability: float | None = None
    seed: int = 0
    half_precision: bool = False

    @property
    def smoothing(self) -> tuple[float, float]:
        """Weights of total variation and of the non-printability score."""
        usual = (3.0, 5.0) if self.eot == "physical" else (0.0, 0.0)
        given = (self.total_variation, self.printability)
        return tuple(usual[i] if value is None else value for i, value in enumerate(given))  # type: ignore[return-value]


def make_attack(settings: Settings, recogniser: Recogniser) -> Attack:
    """The attack by its name; the adaptive ones and ``zones`` know the recogniser's defence.

    Raises:
        BadInput: ``zones`` on a bundle that hides none.
    """
    view = VIEWS[settings.eot]
    smooth, printable = settings.smoothing
    if settings.attack == "sharif":
        return Sharif(
            steps=settings.steps,
            joint=settings.joint > 1,
            eot=view,
            hold=1 if view is None else 5,
            total_variation=smooth,
            printability=printable,
        )
    if settings.attack == "pgd":
        return MaskedPGD(steps=settings.steps, eot=view)
    if settings.attack == "lavan":
        return MaskedPGD(steps=settings.steps, eot=view, loss="margin", start="grey")
    if settings.attack == "zones":
        if not recogniser.zones:
            raise BadInput(f"attack zones: the policy of {recogniser.bundle.info.name} hides no zone")
        return ZonePolicy(
            zones=[zone_mask(zone, recogniser.input_size) for zone in recogniser.zones],
            fill_rgb=recogniser.fill_rgb,
            policy=recogniser.policy,
            steps=settings.steps,
        )
    defence = MaskDefence(recogniser.mask_parameters, recogniser.fill_rgb)
    # A8 shows that success grows from the bare crop on
    start = (
        None
        if settings.attack == "A8"
        else _oblivious(recogniser.bundle.checksum, settings.steps, settings.half_precision)
    )
    return ADAPTIVE[settings.attack](defence=defence, steps=settings.steps, warm_start=start)


def _network(recogniser: Recogniser, zone: Zone | None, device: torch.device) -> nn.Module:
    """What an attacker differentiates: a softmax over its logits gives the recogniser's probabilities."""
    model = recogniser.torch_model(zone, nobody=True)
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@cache
def _oblivious(bundle: str, steps: int, half_precision: bool) -> Remembered:
    """Where adaptive attacks begin: once per picture and target for all of them, since it knows no defence."""
    return Remembered(Sharif(steps=steps))


def make_glasses(
    recogniser: Recogniser,
    pairs: Sequence[Pair],
    settings: Settings,
    store: Store,
    *,
    at_once: int | None = None,
    device: torch.device = CPU,
    finished: Callable[[int], None] | None = None,
    watch: Watch | None = None,
    worn: Worn | None = None,
) -> list[dict[str, Any]]:
    """One record per pair, made now or found whole from an earlier run.

    Args:
        at_once: pairs attacked together, and saved together; None: as many as suit the device.
        device: where the attack computes; what counts is said by the recogniser's own engine.
        finished: called with the number of pairs done.
        worn: whole frames that wear the result, to be stored beside the crops.

    Raises:
        BadInput: a result cannot be written, or not read back.
    """
    at_once = at_once or (AT_ONCE if device.type == "cpu" else AT_ONCE_ON_GPU)
    alpha = frame_mask(settings.shape, recogniser.input_size)
    model = _network(recogniser, None, device)
    model = HalfPrecision(model) if settings.half_precision else model
    attack = make_attack(settings, recogniser)
    if isinstance(attack, ZonePolicy) and recogniser.gallery is not None:
        views = [_network(recogniser, zone, device) for zone in recogniser.zones]
        attack.people = len(recogniser.labels)
        attack.view_models = [HalfPrecision(view) if settings.half_precision else view for view in views]
    attack.group = max(attack.group, at_once)
    records = {pair.key: _made(recogniser, store, pair) for pair in pairs}
    missing = [pair for pair in pairs if records[pair.key] is None]
    if finished is not None:
        finished(len(pairs) - len(missing))
    size = 1 if settings.joint > 1 else at_once
    for group in (missing[first : first + size] for first in range(0, len(missing), size)):
        started = time.perf_counter()
        # ten bits in convolutions are plenty for a gradient, but not where a mask's edge is looked for at every step
        with tf32(settings.attack not in ADAPTIVE):
            found = _attacked(model, attack, group, alpha, settings, watch)
        seconds = (time.perf_counter() - started) / len(group)
        taken = 0
        for pair in group:
            mine = slice(taken, taken + len(pair.crops))
            taken = mine.stop
            rgba = rgba_of(found.textures[mine][0], alpha)
            pictures = {"texture.png": rgba}
            pictures |= {f"adversarial_{i}.png": crop for i, crop in enumerate(found.adversarial[mine])}
            pictures |= {f"original_{i}.png": crop for i, crop in enumerate(pair.crops)}
            frames = [] if worn is None else worn(pair, rgba)
            pictures |= {f"frame_{i}.png": bgr[..., ::-1] for i, bgr in enumerate(frames) if bgr is not None}
            sums = store.write_pictures(pair.key, pictures)
            record = _record(recogniser, store, pair) | {
                "iterations": int(found.iterations[mine][0]),
                "first_fooled": None if found.first_fooled[mine][0] < 0 else int(found.first_fooled[mine][0]),
                "loss_curve": _curve(found.history.loss[:, mine.start]),
                "confidence_curve": _curve(found.history.confidence[:, mine.start]),
                "torch_confidence": [round(float(value), 6) for value in found.confidences[mine]],
                "frames": [None if bgr is None else f"frame_{i}.png" for i, bgr in enumerate(frames)],
                "seconds": round(seconds, 3),
                "device": device.type,
                "sha256": sums,
            }
            store.finish(pair.key, record)
            records[pair.key] = record
        if finished is not None:
            finished(len(group))
    return [record for record in records.values() if record is not None]


def _made(recogniser: Recogniser, store: Store, pair: Pair) -> dict[str, Any] | None:
    """The record of this very pair from an earlier run; None also where other pictures lie under its number."""
    record = store.done(pair.key)
    target = None if pair.target is None else recogniser.labels[pair.target]
    if record is None or record["pictures"] != list(pair.pictures) or record["target"] != target:
        return None
    originals = [store.place(pair.key) / f"original_{i}.png" for i in range(len(pair.crops))]
    same = all(np.array_equal(read_png(path), crop) for path, crop in zip(originals, pair.crops, strict=True))
    return record if same else None


def _attacked(
    model: torch.nn.Module,
    attack: Attack,
    group: Sequence[Pair],
    alpha: np.ndarray,
    settings: Settings,
    watch: Watch | None,
) -> AttackResult:
    crops = np.concatenate([pair.crops for pair in group])
    repeats = [len(pair.crops) for pair in group]
    labels = np.repeat([max(pair.label, 0) for pair in group], repeats)
    # one run either dodges or impersonates: all its pairs have a target, or none has
    targets = None if group[0].target is None else np.repeat([pair.target for pair in group], repeats)
    seeds = [settings.seed * 1_000_003 + 31 * pair.number + i for pair in group for i in range(len(pair.crops))]
    return attack.run(model, crops, labels, targets, mask=alpha, seed=seeds, watch=watch)


def _record(recogniser: Recogniser, store: Store, pair: Pair) -> dict[str, Any]:
    """What the engine says of the pictures on disk, before and after."""
    place = store.place(pair.key)
    count = len(pair.crops)
    before = recogniser.classify(np.stack([read_png(place / f"original_{i}.png") for i in range(count)]))
    after = recogniser.classify(np.stack([read_png(place / f"adversarial_{i}.png") for i in range(count)]))
    named = after.argmax(axis=1)
    goal = pair.label if pair.target is None else pair.target
    fooled = named != pair.label if pair.target is None else named == pair.target
    return {
        "pair": pair.number,
        "attacker": pair.attacker,
        "enrolled": pair.label != STRANGER,
        "target": None if pair.target is None else recogniser.labels[pair.target],
        "pictures": list(pair.pictures),
        "named_before": [recogniser.labels[i] for i in before.argmax(axis=1)],
        "named_after": [recogniser.labels[i] for i in named],
        "confidence_before": [round(float(p[goal]), 6) for p in before],
        "confidence_after": [round(float(p[goal]), 6) for p in after],
        "best_after": [round(float(p.max()), 6) for p in after],
        "success": [bool(value) for value in fooled],
        "confident_success": [bool(f and p.max() >= CONFIDENT) for f, p in zip(fooled, after, strict=True)],
    }


def _curve(values: np.ndarray) -> list[float | None]:
    """One picture's curve over the steps that it took part in; None where the attack did not judge."""
    known = np.flatnonzero(~np.isnan(values))
    last = int(known[-1]) + 1 if len(known) else 0
    return [None if np.isnan(value) else round(float(value), 4) for value in values[:last]]


def summary(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Success over all attacked pictures, with Wilson intervals, and how long it took."""
    success = [value for record in records for value in record["success"]]
    confident = [value for record in records for value in record["confident_success"]]
    return {
        "pairs": len(records),
        "success": proportion(sum(success), len(success)),
        f"success_at_{CONFIDENT}": proportion(sum(confident), len(confident)),
        "mean_iterations": round(float(np.mean([record["iterations"] for record in records])), 1),
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }

"""Runs the attack over the pairs, keeps every result on disk, counts success on what was read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from models.arrays import Bytes, Floats
from models.crop.wearables import frame_mask
from models.crop.zones import Zone
from models.recogniser import Recogniser
from models.training.device import CPU, tf32
from tools.attacks.base import Attack, AttackResult, Watch
from tools.attacks.half_precision import HalfPrecision
from tools.attacks.registry import ATTACKS
from tools.attacks.settings import Settings
from tools.crafting.pairs import STRANGER, Pair
from tools.crafting.records import CONFIDENT, Record, Said
from tools.crafting.store import Store, read_png
from tools.crafting.texture import rgba_of
from tools.fan_out.fan import Fan


@dataclass(frozen=True)
class Worn:
    """Whole pictures that wear a result, and their faces as a camera would see them.

    ``wear``: of a pair and its RGBA accessory, the frame (H, W, 3) BGR that each of its pictures becomes; None: no
    face. ``cut``: the face of such a frame, found and cut anew, (S, S, 3) RGB; None: it is not found any more.
    """

    wear: Callable[[Pair, Bytes], list[Bytes | None]]
    cut: Callable[[Bytes], Bytes | None]


AT_ONCE = 8
AT_ONCE_ON_GPU = 48


def _network(recogniser: Recogniser, zone: Zone | None, device: torch.device) -> nn.Module:
    """What an attacker differentiates: a softmax over its logits gives the recogniser's probabilities."""
    model = recogniser.torch_model(zone, nobody=True)
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


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
    fan: Fan | None = None,
) -> list[Record]:
    """One record per pair, made now or found whole from an earlier run.

    Args:
        at_once: pairs attacked together, and saved together; None: as many as suit the device.
        device: where the attack computes; what counts is said by the recogniser's own engine.
        finished: called with the number of pairs done.
        worn: whole frames that wear the result, to be stored beside the crops.
        fan: where the groups are attacked, the same ones as here; None: here, one after another.

    Raises:
        BadInput: a result cannot be written, or not read back.
    """
    at_once = at_once or (AT_ONCE if device.type == "cpu" else AT_ONCE_ON_GPU)
    assault = _assault(recogniser, settings, device, at_once)
    records = {pair.key: _made(recogniser, store, pair) for pair in pairs}
    missing = [pair for pair in pairs if records[pair.key] is None]
    if finished is not None:
        finished(len(pairs) - len(missing))
    size = 1 if settings.joint > 1 else at_once
    groups = [missing[first : first + size] for first in range(0, len(missing), size)]
    for place, (found, seconds) in _attacks(assault, groups, watch, fan):
        group = groups[place]
        took = Took(seconds / len(group), device.type)
        taken = 0
        for pair in group:
            mine = slice(taken, taken + len(pair.crops))
            taken = mine.stop
            records[pair.key] = _kept(recogniser, store, pair, found, mine, assault.alpha, took, worn)
        if finished is not None:
            finished(len(group))
    return [record for record in records.values() if record is not None]


@dataclass(frozen=True)
class Assault:
    """What every group of pairs is attacked with; ``alpha`` (S, S) is where they may change."""

    model: nn.Module
    attack: Attack
    alpha: Floats
    settings: Settings


def _assault(recogniser: Recogniser, settings: Settings, device: torch.device, at_once: int) -> Assault:
    model = _network(recogniser, None, device)
    model = HalfPrecision(model) if settings.half_precision else model
    spec = ATTACKS[settings.attack]
    attack = spec.make(settings, recogniser)
    if spec.knows == "policy" and recogniser.gallery is not None:
        views = [_network(recogniser, zone, device) for zone in recogniser.zones]
        views = [HalfPrecision(view) if settings.half_precision else view for view in views]
        attack.look_through(views, len(recogniser.labels))
    attack.group = max(attack.group, at_once)
    return Assault(model, attack, frame_mask(settings.shape, recogniser.input_size), settings)


@dataclass(frozen=True)
class Took:
    """How long a pair was attacked, and on what."""

    seconds: float
    device: str


def _kept(
    recogniser: Recogniser,
    store: Store,
    pair: Pair,
    found: AttackResult,
    mine: slice,
    alpha: Floats,
    took: Took,
    worn: Worn | None,
) -> Record:
    """Write one pair's pictures and, last, its record; ``mine`` are its pictures in ``found``."""
    chosen = alpha if found.regions is None else found.regions[mine][0].astype(np.float32)
    rgba = rgba_of(found.textures[mine][0], chosen)
    pictures = {"texture.png": rgba}
    pictures |= {f"adversarial_{i}.png": crop for i, crop in enumerate(found.adversarial[mine])}
    pictures |= {f"original_{i}.png": crop for i, crop in enumerate(pair.crops)}
    frames = [] if worn is None else worn.wear(pair, rgba)
    pictures |= {f"frame_{i}.png": bgr[..., ::-1] for i, bgr in enumerate(frames) if bgr is not None}
    sums = store.write_pictures(pair.key, pictures)
    record: Record = {
        **_said(recogniser, store, pair),
        "iterations": int(found.iterations[mine][0]),
        "first_fooled": None if found.first_fooled[mine][0] < 0 else int(found.first_fooled[mine][0]),
        "loss_curve": _curve(found.history.loss[:, mine.start]),
        "confidence_curve": _curve(found.history.confidence[:, mine.start]),
        "torch_confidence": [round(float(value), 6) for value in found.confidences[mine]],
        "frames": [None if bgr is None else f"frame_{i}.png" for i, bgr in enumerate(frames)],
        "frames_named": [] if worn is None else _named_on(recogniser, store, pair, frames, worn),
        "seconds": round(took.seconds, 3),
        "device": took.device,
        "sha256": sums,
    }
    store.finish(pair.key, record)
    return record


def _made(recogniser: Recogniser, store: Store, pair: Pair) -> Record | None:
    """The record of this very pair from an earlier run; None also where other pictures lie under its number."""
    record = store.done(pair.key)
    target = None if pair.target is None else recogniser.labels[pair.target]
    if record is None or record["pictures"] != list(pair.pictures) or record["target"] != target:
        return None
    originals = [store.place(pair.key) / f"original_{i}.png" for i in range(len(pair.crops))]
    same = all(np.array_equal(read_png(path), crop) for path, crop in zip(originals, pair.crops, strict=True))
    return record if same else None


def _attacks(
    assault: Assault, groups: Sequence[Sequence[Pair]], watch: Watch | None, fan: Fan | None
) -> Iterator[tuple[int, tuple[AttackResult, float]]]:
    """Of each group its place, what came of it, and how many seconds it took; in the order in which they are done."""
    if fan is not None and groups:
        yield from fan.map(_attacked, assault, groups)
        return
    for place, group in enumerate(groups):
        yield place, _attacked(assault, group, watch)


def _attacked(assault: Assault, group: Sequence[Pair], watch: Watch | None = None) -> tuple[AttackResult, float]:
    started = time.perf_counter()
    settings = assault.settings
    crops = np.concatenate([pair.crops for pair in group])
    repeats = [len(pair.crops) for pair in group]
    labels = np.repeat([max(pair.label, 0) for pair in group], repeats)
    # one run either dodges or impersonates: all its pairs have a target, or none has
    targets = None if group[0].target is None else np.repeat([pair.target for pair in group], repeats)
    seeds = [settings.seed * 1_000_003 + 31 * pair.number + i for pair in group for i in range(len(pair.crops))]
    # ten bits in convolutions are plenty for a gradient, but not where a mask's edge is looked for at every step
    with tf32(ATTACKS[settings.attack].knows != "mask"):
        found = assault.attack.run(assault.model, crops, labels, targets, mask=assault.alpha, seed=seeds, watch=watch)
    return found, time.perf_counter() - started


def _said(recogniser: Recogniser, store: Store, pair: Pair) -> Said:
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


def _named_on(
    recogniser: Recogniser, store: Store, pair: Pair, frames: Sequence[Bytes | None], worn: Worn
) -> list[str | None]:
    """Whom the photographs on disk are taken for; None where no face is found on one."""
    there = [
        None if bgr is None else read_png(store.place(pair.key) / f"frame_{i}.png") for i, bgr in enumerate(frames)
    ]
    crops = [None if rgb is None else worn.cut(np.ascontiguousarray(rgb[..., ::-1])) for rgb in there]
    return [None if crop is None else recogniser.labels[recogniser.classify(crop[None])[0].argmax()] for crop in crops]


def _curve(values: Floats) -> list[float | None]:
    """One picture's curve over the steps that it took part in; None where the attack did not judge."""
    known = np.flatnonzero(~np.isnan(values))
    last = int(known[-1]) + 1 if len(known) else 0
    return [None if np.isnan(value) else round(float(value), 4) for value in values[:last]]

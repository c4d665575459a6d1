"""Trains a recogniser for some people: cached features, the head, optionally the last block, calibration.

``tools.train`` uses this. Nothing here reads pictures or writes bundles.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.arrays import Bytes, Floats, Labels
from models.crop.zones import outlines_of
from models.errors import BadInput
from models.network.vgg16 import VGG16, block_start
from models.training import augment
from models.training.calibration import Calibration, calibrate, fold_temperature
from models.training.device import CPU
from models.training.features import Features
from models.training.fit import Examples, Record, predict
from models.training.stages import Progress, RecipeSettings, Stages, hiding, wearing

log = logging.getLogger(__name__)

#: The model as it is, crops (N, T, T, 3) and their labels -> the crops attacked, (N, S, S, 3).
Adversary = Callable[[VGG16, Bytes, Labels], Bytes]


@dataclass(frozen=True)
class Trained:
    """What ``train`` did, beside the weights.

    ``validation`` are the indices of the crops not trained on, ``logits`` (N', K) their calibrated logits;
    ``occluded`` the calibrated logits of the same crops by kind of occlusion; ``stages`` the learning curves.
    """

    validation: Labels
    logits: Floats
    occluded: Mapping[str, Floats]
    stages: Mapping[str, Sequence[Record]]
    kept: str
    calibration: Calibration | None


def split(labels: Labels, *, share: float = 0.2, seed: int = 0) -> tuple[Labels, Labels]:
    """Indices for training and validation, ``share`` of each person; a person with one crop is only trained on."""
    generator = np.random.default_rng(seed)
    train: list[int] = []
    validation: list[int] = []
    for person in np.unique(labels):
        mine = generator.permutation(np.flatnonzero(labels == person))
        held = 0 if len(mine) < 2 else max(1, round(len(mine) * share))
        validation += mine[:held].tolist()
        train += mine[held:].tolist()
    return np.sort(np.array(train, dtype=np.int64)), np.sort(np.array(validation, dtype=np.int64))


def balanced(indices: Labels, labels: Labels, *, least: int) -> Labels:
    """``indices`` with those of people who have fewer than ``least`` repeated up to that number."""
    found: list[npt.NDArray[np.int64]] = []
    for person in np.unique(labels[indices]):
        mine = indices[labels[indices] == person]
        found.append(np.resize(mine, max(least, len(mine))))
    return np.concatenate(found)


def train(
    model: VGG16,
    crops: Bytes,
    labels: Labels,
    settings: RecipeSettings,
    *,
    teacher: Floats | None = None,
    strangers: Bytes | None = None,
    strangers_teacher: Floats | None = None,
    adversary: Adversary | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
    device: torch.device = CPU,
) -> Trained:
    """Fit ``model`` to the people in place: head, then the last block if asked and better on validation.

    Args:
        model: trunk loaded, head fresh (or warm: it is the starting point).
        crops: (N, T, T, 3) uint8 RGB in the canonical pose, any side T.
        labels: (N,) person of each crop, 0 to K - 1.
        teacher: (N, W) unit embeddings of the crops, for distillation.
        strangers: (M, T, T, 3) crops of people who must not be named.
        strangers_teacher: (M, W).
        adversary: attacks the training crops when the head is fitted, which then goes on with those crops among the
            others, at one to three.
        folder: where features and checkpoints are kept, so that an interrupted run goes on; None: nowhere.
        device: where crops go through the trunk; the model is on the CPU before and after, as the head always is.

    Raises:
        BadInput: a person has no crop, or nobody is there.
    """
    if len(crops) == 0 or len(np.unique(labels)) != model.classes or len(crops) != len(labels):
        raise BadInput(f"training needs at least one crop of each of the {model.classes} people")
    model.eval()
    work = Stages(model, settings, folder, progress, device)
    chosen, held = split(labels, share=settings.validation_share, seed=settings.seed)
    chosen = balanced(chosen, labels, least=settings.least)
    seen = _versions(work, crops[chosen], crops[held], strangers)
    taught = Taught(
        labels[chosen], labels[held], None if teacher is None else teacher[chosen], strangers_teacher, strangers
    )
    stages: dict[str, list[Record]] = {}
    stages["head"] = work.fit("head", model.head, settings.head, *taught.examples(seen, block=False))
    if adversary is not None:
        attacked = work.version(adversary(model, crops[chosen], labels[chosen]), name="adversarial")
        seen.known += [attacked] * max(1, len(seen.known) // 3)
        stages["adversarial"] = work.fit("adversarial", model.head, settings.head, *taught.examples(seen, block=False))
    kept = "head"
    if settings.block is not None:
        before = {name: value.clone() for name, value in model.state_dict().items()}
        stages["block"] = work.fit("block", _last_block(model), settings.block, *taught.examples(seen, block=True))
        if not len(held) or _better(stages["block"], stages["head"]):
            kept = "block"
        else:
            model.load_state_dict(before)
    module: nn.Module = model.head if kept == "head" else _last_block(model)
    logits = {n: _logits(module, _pick([f], kept == "block")[0], model.classes) for n, f in seen.checks.items()}
    calibration, logits = _calibrated(model, logits, labels[held], settings.temperature)
    clean = logits.pop("clean")
    return Trained(held, clean, logits, stages, kept, calibration)


@dataclass
class Versions:
    """Features of all that is trained on (people and strangers, each in several versions) and validated on."""

    known: list[Features]
    checks: dict[str, Features]
    others: list[Features] | None


@dataclass(frozen=True)
class Taught:
    """What belongs to the features: the people of the crops trained on and held out, and the teacher's embeddings."""

    labels: Labels
    held: Labels
    teacher: Floats | None
    strangers_teacher: Floats | None
    strangers: Bytes | None

    def examples(self, seen: Versions, *, block: bool) -> tuple[Examples, dict[str, Examples], Examples | None]:
        """Those to train on, to validate on, and the strangers; ``block``: before the last convolution block."""
        others = None
        if seen.others is not None and self.strangers is not None:
            nobody = np.zeros(len(self.strangers), dtype=np.int64)
            others = Examples(_pick(seen.others, block), nobody, self.strangers_teacher)
        checks = {name: Examples(_pick([one], block), self.held) for name, one in seen.checks.items()}
        return Examples(_pick(seen.known, block), self.labels, self.teacher), checks if len(self.held) else {}, others


def _versions(work: Stages, chosen: Bytes, held: Bytes, strangers: Bytes | None) -> Versions:
    """Everything through the trunk: plain and changed versions, each kind of occlusion, each hidden zone."""
    settings, zones, fill = work.settings, work.settings.zones, work.model.spec.fill_rgb
    work.plan(
        len(chosen) * (settings.versions + 1 + len(zones) * settings.zone_versions)
        + len(held) * (4 + len(zones))
        + (0 if strangers is None else (settings.stranger_versions + len(zones)) * len(strangers))
    )
    seen = Versions(work.versions(chosen, settings.versions + 1), {"clean": work.version(held)}, None)
    for name, hide in augment.HIDDEN.items():
        seen.checks[name] = work.version(held, name=name, change=hiding(hide, fill))
    if strangers is not None:
        seen.others = work.versions(strangers, settings.stranger_versions)
    for number, zone in enumerate(zones):
        change = hiding(partial(augment.hide_zone, zone=zone), fill)
        hidden = f"{zone} {outlines_of([zone], work.model.input_size)}"
        seen.checks[zone] = work.version(held, name=hidden, change=change)
        if number == 1:  # beside further zones' versions all others count twice: those views only have a veto
            seen.known, seen.others = seen.known * 2, seen.others and seen.others * 2
        wear = None if zone == "eyewear" else wearing(settings.zone_glasses)
        name = hidden if wear is None else f"{hidden}, glasses {settings.zone_glasses}"
        each = range(settings.zone_versions)
        seen.known += [work.trained(chosen, version, name=name, change=change, wear=wear) for version in each]
        if seen.others is not None and strangers is not None:
            seen.others.append(work.trained(strangers, 1, name=name, change=change, wear=wear))
    return seen


def _calibrated(
    model: VGG16, logits: dict[str, Floats], held: Labels, temperature: float | None
) -> tuple[Calibration | None, dict[str, Floats]]:
    """Fold a temperature into the last layer, the given one or that which the crops held out ask for."""
    calibration = None
    if temperature is None and len(held):
        calibration = calibrate(logits["clean"], held)
        temperature = calibration.temperature
    if temperature is None:
        return None, logits
    final = model.head[-1]
    assert isinstance(final, nn.Linear)
    fold_temperature(final, temperature)
    return calibration, {name: values / np.float32(temperature) for name, values in logits.items()}


def _last_block(model: VGG16) -> nn.Sequential:
    return nn.Sequential(*model.trunk[block_start(5) :], *model.head)


def record_of(settings: RecipeSettings, trained: Trained) -> dict[str, Any]:
    """The settings and the outcome as plain values, for a bundle's training record."""
    return {
        "settings": asdict(settings),
        "kept": trained.kept,
        "epochs": {name: len(records) for name, records in trained.stages.items()},
        "torch": torch.__version__,
    }


def _pick(versions: Sequence[Features], block: bool) -> list[npt.NDArray[np.float16]]:
    return [features.block4 if block else features.trunk for features in versions]


def _logits(module: nn.Module, features: npt.NDArray[np.float16], classes: int) -> Floats:
    if len(features) == 0:
        return np.zeros((0, classes), dtype=np.float32)
    found: Floats = predict(module, features).numpy()
    return found


def _better(new: Sequence[Record], old: Sequence[Record]) -> bool:
    return max(record["score"] for record in new) > max(record["score"] for record in old)

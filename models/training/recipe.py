"""Trains a recogniser for some people: cached features, the head, optionally the last block, calibration.

``tools.train`` and ``tools.enrol`` share this. Nothing here reads pictures or writes bundles.
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
    zones, more = settings.zones, len(settings.zones) * settings.zone_versions
    work.plan(
        len(chosen) * (settings.versions + 1 + more)
        + len(held) * (4 + len(zones))
        + (0 if strangers is None else (settings.stranger_versions + len(zones)) * len(strangers))
    )
    known = work.versions(crops[chosen], settings.versions + 1)
    checks = {"clean": work.version(crops[held])}
    for name, hide in augment.HIDDEN.items():
        checks[name] = work.version(crops[held], name=name, change=hiding(hide, model.spec.fill_rgb))
    others = None if strangers is None else work.versions(strangers, settings.stranger_versions)
    for number, zone in enumerate(zones):
        hide = partial(augment.hide_zone, zone=zone)
        change = hiding(hide, model.spec.fill_rgb)
        hidden = f"{zone} {outlines_of([zone], model.input_size)}"
        checks[zone] = work.version(crops[held], name=hidden, change=change)
        if number == 1:
            known, others = known * 2, others and others * 2
        wear = None if zone == "eyewear" else wearing(settings.zone_glasses)
        name = hidden if wear is None else f"{hidden}, glasses {settings.zone_glasses}"
        each = range(settings.zone_versions)
        known += [work.trained(crops[chosen], n, name=name, change=change, wear=wear) for n in each]
        if others is not None and strangers is not None:
            others.append(work.trained(strangers, 1, name=name, change=change, wear=wear))

    def examples(block: bool) -> tuple[Examples, dict[str, Examples], Examples | None]:
        return (
            Examples(_pick(known, block), labels[chosen], None if teacher is None else teacher[chosen]),
            {n: Examples(_pick([f], block), labels[held]) for n, f in checks.items()} if len(held) else {},
            None
            if others is None or strangers is None
            else Examples(_pick(others, block), np.zeros(len(strangers), dtype=np.int64), strangers_teacher),
        )

    stages: dict[str, list[Record]] = {}
    kept = "head"
    stages["head"] = work.fit("head", model.head, settings.head, *examples(False))
    if adversary is not None:
        attacked = work.version(adversary(model, crops[chosen], labels[chosen]), name="adversarial")
        known = known + [attacked] * max(1, len(known) // 3)
        stages["adversarial"] = work.fit("adversarial", model.head, settings.head, *examples(False))
    if settings.block is not None:
        before = {name: value.clone() for name, value in model.state_dict().items()}
        last = nn.Sequential(*model.trunk[block_start(5) :], *model.head)
        stages["block"] = work.fit("block", last, settings.block, *examples(True))
        if not len(held) or _better(stages["block"], stages["head"]):
            kept = "block"
        else:
            model.load_state_dict(before)
    module: nn.Module = model.head if kept == "head" else nn.Sequential(*model.trunk[block_start(5) :], *model.head)
    logits = {n: _logits(module, _pick([f], kept == "block")[0], model.classes) for n, f in checks.items()}
    calibration, temperature = None, settings.temperature
    if temperature is None and len(held):
        calibration = calibrate(logits["clean"], labels[held])
        temperature = calibration.temperature
    if temperature is not None:
        final = model.head[-1]
        assert isinstance(final, nn.Linear)
        fold_temperature(final, temperature)
        logits = {name: values / np.float32(temperature) for name, values in logits.items()}
    clean = logits.pop("clean")
    return Trained(held, clean, logits, stages, kept, calibration)


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

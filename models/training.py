"""Trains a recogniser for some people: cached features, the head, optionally the last block, calibration.

The command line (``tools.train``) and the live page (enrolment) share this. Nothing here reads pictures or
writes bundles.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models import augment
from models.calibration import Calibration, calibrate, fold_temperature
from models.device import CPU
from models.errors import BadInput
from models.features import Augmentation, Bytes, Change, Features, version
from models.fitting import Examples, FitSettings, Labels, Record, fit, predict
from models.vgg16 import VGG16, block_start
from models.zones import Zone

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
#: Told what is being done ("cache", "head", "block"), how much of it is done, and the newest record if any.
Progress = Callable[[str, float, Record | None], None]
#: The model as it is, crops (N, T, T, 3) and their labels -> the crops attacked, (N, S, S, 3).
Adversary = Callable[[VGG16, Bytes, Labels], Bytes]


@dataclass(frozen=True)
class TrainingSettings:
    """The whole recipe. ``versions`` counts the changed versions of each training crop beside the plain one,
    ``stranger_versions`` those of each stranger's crop with the plain one.

    ``least`` is the number to which the crops of a person with few are repeated (each copy is changed
    differently); ``glasses`` the share of crops that innocent glasses are drawn on. Of each of ``zones``,
    ``zone_versions`` more versions with that zone hidden are trained on, and one is validated; ``zone_glasses`` is
    the share of glasses where the zone leaves them visible, for there they hide most of what is left of the face.
    Beside further zones' versions all others count twice: those views only have a veto.
    ``half_precision``: what is trained on goes through the trunk in bfloat16; what is measured never does.
    """

    versions: int = 6
    stranger_versions: int = 2
    validation_share: float = 0.2
    least: int = 24
    glasses: float = 0.2
    zones: tuple[Zone, ...] = ()
    zone_versions: int = 3
    zone_glasses: float = 0.5
    augmentation: Augmentation = field(default_factory=Augmentation)
    head: FitSettings = field(default_factory=FitSettings)
    block: FitSettings | None = None
    half_precision: bool = False
    seed: int = 0


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
    settings: TrainingSettings,
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
    work = _Work(model, settings, folder, progress or _silent, device)
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
        checks[name] = work.version(crops[held], name=name, change=_hiding(hide, model.spec.fill_rgb))
    others = None if strangers is None else work.versions(strangers, settings.stranger_versions)
    for number, zone in enumerate(zones):
        hide = partial(augment.hide_zone, zone=zone)
        change = _hiding(hide, model.spec.fill_rgb)
        checks[zone] = work.version(crops[held], name=zone, change=change)
        if number == 1:
            known, others = known * 2, others and others * 2
        wear = None if zone == "eyewear" else _wearing(settings.zone_glasses)
        name = zone if wear is None else f"{zone}, glasses {settings.zone_glasses}"
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
    calibration = None
    if len(held):
        calibration = calibrate(logits["clean"], labels[held])
        final = model.head[-1]
        assert isinstance(final, nn.Linear)
        fold_temperature(final, calibration.temperature)
        logits = {name: values / np.float32(calibration.temperature) for name, values in logits.items()}
    clean = logits.pop("clean")
    return Trained(held, clean, logits, stages, kept, calibration)


def record_of(settings: TrainingSettings, trained: Trained) -> dict[str, Any]:
    """The settings and the outcome as plain values, for a bundle's training record."""
    return {
        "settings": asdict(settings),
        "kept": trained.kept,
        "epochs": {name: len(records) for name, records in trained.stages.items()},
        "torch": torch.__version__,
    }


class _Work:
    """Counts what is done and knows where things are kept."""

    def __init__(
        self,
        model: VGG16,
        settings: TrainingSettings,
        folder: Path | None,
        progress: Progress,
        device: torch.device,
    ) -> None:
        self.model, self.settings, self.progress = model, settings, progress
        self.folder, self.device = folder, device
        self._total, self._done = 1, 0

    def plan(self, crops: int) -> None:
        self._total = max(1, crops)

    def version(
        self,
        crops: Bytes,
        number: int = 0,
        *,
        name: str = "",
        change: Change | None = None,
        wear: Change | None = None,
        half_precision: bool = False,
    ) -> Features:
        augmentation = replace(self.settings.augmentation, seed=self.settings.seed)
        folder = None if self.folder is None else self.folder / "features"
        try:
            return version(
                self.model.to(self.device),
                crops,
                number,
                augmentation,
                folder=folder,
                name=name,
                change=change,
                wear=wear,
                half_precision=half_precision,
                tick=self._tick,
            )
        finally:
            self.model.cpu()

    def trained(self, crops: Bytes, number: int, **changes: Any) -> Features:
        """A version to train on."""
        return self.version(crops, number, half_precision=self.settings.half_precision, **changes)

    def versions(self, crops: Bytes, count: int) -> list[Features]:
        share = self.settings.glasses
        name, wear = f"glasses {share}", _wearing(share)
        return [self.trained(crops, number, name=name, wear=wear) for number in range(count)]

    def fit(
        self,
        stage: str,
        module: nn.Sequential,
        settings: FitSettings,
        known: Examples,
        checks: Mapping[str, Examples],
        strangers: Examples | None,
    ) -> list[Record]:
        settings = replace(settings, seed=self.settings.seed)
        checkpoint = None if self.folder is None else self.folder / f"{stage}.pt"
        return fit(
            module,
            known,
            checks,
            settings,
            strangers=strangers,
            checkpoint=checkpoint,
            on_epoch=lambda record: self.progress(stage, record["epoch"] / settings.epochs, record),
        )

    def _tick(self, crops: int) -> None:
        self._done += crops
        self.progress("cache", self._done / self._total, None)


def _wearing(share: float) -> Change:
    return lambda pixels, generator: augment.innocent_glasses(pixels, generator, share=share)


def _hiding(
    hide: Callable[..., torch.Tensor], fill: tuple[int, int, int]
) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    return lambda pixels, generator: hide(pixels, generator, fill=fill)


def _pick(versions: Sequence[Features], block: bool) -> list[npt.NDArray[np.float16]]:
    return [features.block4 if block else features.trunk for features in versions]


def _logits(module: nn.Module, features: npt.NDArray[np.float16], classes: int) -> Floats:
    if len(features) == 0:
        return np.zeros((0, classes), dtype=np.float32)
    found: Floats = predict(module, features).numpy()
    return found


def _better(new: Sequence[Record], old: Sequence[Record]) -> bool:
    return max(record["score"] for record in new) > max(record["score"] for record in old)


def _silent(stage: str, share: float, record: Record | None) -> None:
    pass

"""One training: its settings, and its work in pieces (versions through the trunk, fits), and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.arrays import Bytes
from models.crop.zones import Zone
from models.network.vgg16 import VGG16
from models.training import augment
from models.training.features import Augmentation, Change, Features, version
from models.training.fit import Examples, FitSettings, Record, fit

#: Told what is being done ("cache", "head", "block"), how much of it is done, and the newest record if any.
Progress = Callable[[str, float, Record | None], None]


@dataclass(frozen=True)
class RecipeSettings:
    """The whole recipe. ``versions`` counts the changed versions of each training crop beside the plain one,
    ``stranger_versions`` those of each stranger's crop with the plain one.

    ``least`` is the number to which the crops of a person with few are repeated (each copy is changed
    differently); ``glasses`` the share of crops that innocent glasses are drawn on. Of each of ``zones``,
    ``zone_versions`` more versions with that zone hidden are trained on, and one is validated; ``zone_glasses`` is
    the share of glasses where the zone leaves them visible, for there they hide most of what is left of the face.
    Beside further zones' versions all others count twice: those views only have a veto.
    ``temperature``: of the logits; None: calibrated on the crops held out.
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
    temperature: float | None = None
    half_precision: bool = False
    seed: int = 0


class Stages:
    """Counts what is done and knows where things are kept."""

    def __init__(
        self,
        model: VGG16,
        settings: RecipeSettings,
        folder: Path | None,
        progress: Progress | None,
        device: torch.device,
    ) -> None:
        self.model, self.settings, self.progress = model, settings, progress or _silent
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
        name, wear = f"glasses {share}", wearing(share)
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


def wearing(share: float) -> Change:
    return lambda pixels, generator: augment.innocent_glasses(pixels, generator, share=share)


def hiding(
    hide: Callable[..., torch.Tensor], fill: tuple[int, int, int]
) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    return lambda pixels, generator: hide(pixels, generator, fill=fill)


def _silent(stage: str, share: float, record: Record | None) -> None:
    pass

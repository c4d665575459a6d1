"""Teaches a trunk to place faces where teachers place them, whatever part of the face is hidden.

The teachers saw the *whole* face; the trunk sees it shifted, turned, relit, blurred and with a part hidden (the idea
of Huber et al. 2021, "Mask-invariant face recognition through template-level knowledge distillation"). Two losses: one
minus the cosine to the teachers' vector, and the divergence between the teachers' and the trunk's similarities to a
bank of other faces (Tejankar et al. 2021, "ISD"). Batch normalisation is inserted in the trained blocks while
training and folded back at the end: the result is a plain VGG16 whose head gives an embedding. The last crops can be
seen with everything rounded to 8 bits (``models.training.rounding``), the normalisation folded in before.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from models.arrays import Bytes, Floats
from models.crop.zones import COVER, Zone
from models.digest import digest_of
from models.network.vgg16 import VGG16
from models.training import augment
from models.training.checkpoint import read_checkpoint, write_checkpoint
from models.training.device import CPU
from models.training.half_precision import bfloat16
from models.training.normalised import DistilNet
from models.training.rounding import RoundedNet

Record = dict[str, float]


@dataclass(frozen=True)
class DistilSettings:
    """How long and how to train, counted in ``crops`` seen.

    ``hidden`` of the crops have a part hidden: half of these one of ``zones``, the first of them ``first_zone`` times
    as often as any other, and the others a rectangle of 3 to 45 % of the crop anywhere. ``bank`` other faces at a time
    are what similarities are compared on, at ``temperature``. The blocks before ``first_block`` stay as they are. A
    share ``small_share`` of them is seen at ``small_size``. The last share ``rounded`` of the crops is seen in 8 bits,
    at ``rounded_rate`` of the learning rate.
    """

    crops: int
    batch: int = 64
    first_block: int = 3
    learning_rate: float = 1e-3
    trunk_share: float = 0.2
    temperature: float = 0.07
    bank: int = 4096
    hidden: float = 0.65
    zones: tuple[Zone, ...] = COVER
    first_zone: float = 1.0
    glasses: float = 0.1
    pose: float = 0.8
    small_size: int = 96
    small_share: float = 0.5
    weight_decay: float = 5e-4
    held_out: float = 0.02
    rounded: float = 0.0
    rounded_rate: float = 0.05
    record_every: int = 8192
    half_precision: bool = False
    seed: int = 0


def distil(
    model: VGG16,
    crops: Bytes,
    teacher: Floats,
    settings: DistilSettings,
    checkpoint: Path,
    device: torch.device = CPU,
    ranges: dict[str, float] | None = None,
) -> Iterator[Record]:
    """Train ``model`` in place; yields a record of progress now and then, and one at the end.

    Args:
        model: its head's last layer is as wide as the teachers' vectors; it is the starting point.
        crops: (N, T, T, 3) uint8 RGB, canonical pose, any side T.
        teacher: (N, D) the teachers' vectors of the whole faces.
        checkpoint: written at every record; an existing one of the same run is resumed.
        ranges: filled at the end with the learnt ranges of the 8-bit graphs, where the last crops were seen rounded.

    Raises:
        ValueError: the widths differ, there are too few crops, or the checkpoint is of another run.
    """
    if teacher.shape != (len(crops), model.classes):
        raise ValueError(f"teacher's vectors are {teacher.shape}, wanted ({len(crops)}, {model.classes})")
    run = _Run(model, crops, teacher, settings, device)
    run.resume(checkpoint)
    began, before = time.monotonic(), run.elapsed
    while run.seen < settings.crops:
        run.step()
        run.elapsed = before + time.monotonic() - began
        if run.seen % settings.record_every < settings.batch or run.seen >= settings.crops:
            run.save(checkpoint)
            yield run.record()
    run.net.fold_into(model)
    if ranges is not None and isinstance(run.net, RoundedNet):
        ranges.update(run.net.ranges())


class _Run:
    """The state of one training."""

    def __init__(
        self, model: VGG16, crops: Bytes, teacher: Floats, settings: DistilSettings, device: torch.device
    ) -> None:
        self.settings, self.device = settings, device
        self.size, self.fill = model.input_size, model.spec.fill_rgb
        self.faces = digest_of([crops, teacher])
        self.generator = torch.Generator(device).manual_seed(settings.seed)
        self.crops = torch.from_numpy(crops).to(device)
        self.wanted = F.normalize(torch.from_numpy(teacher).to(device), dim=1)
        fixed = torch.Generator(device).manual_seed(0)  # a run that goes on from another never saw who is held out
        order = torch.randperm(len(crops), generator=fixed, device=device)
        held = int(len(crops) * settings.held_out)
        if held < 1 or len(crops) - held < settings.batch:
            raise ValueError(f"{len(crops)} crops are too few to train on batches of {settings.batch}: give more")
        self.held, self.train = order[:held], order[held:]
        self.model = copy.deepcopy(model)
        self.net: DistilNet | RoundedNet = DistilNet(
            model, settings.first_block, fast=device.type == "cpu" and not settings.half_precision
        ).to(device)
        self._begin_optimising(1.0)
        self.elapsed, self.seen = 0.0, 0
        self.cosine = self.divergence = 0.0

    def _begin_optimising(self, share: float) -> None:
        rate, net = self.settings.learning_rate * share, self.net
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(net.trained.parameters()), "lr": rate * self.settings.trunk_share},
                {"params": list(net.head.parameters()), "lr": rate},
            ],
            weight_decay=self.settings.weight_decay,
        )
        self.rates = [group["lr"] for group in self.optimiser.param_groups]

    @property
    def _rounds_from(self) -> float:
        """The crops after which all is rounded."""
        return self.settings.crops * (1 - self.settings.rounded)

    def _round(self) -> None:
        """Fold the normalisation in, and go on with the network that rounds."""
        self.net.fold_into(self.model)
        self.net = RoundedNet(self.model, self.settings.first_block).to(self.device)
        self._begin_optimising(self.settings.rounded_rate)

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint, or begin."""
        if not checkpoint.exists():
            self.net.start_from_data(self._changed(self.train[:256], self.size))
            return
        state = read_checkpoint(checkpoint, device=self.device)
        if state is None or state.get("faces") != self.faces or state.get("settings") != self._kept_settings():
            raise ValueError(f"{checkpoint} is damaged or of another run; remove it to start afresh")
        if state["rounds"]:
            self._round()
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.elapsed, self.seen = state["elapsed"], state["seen"]
        self.generator.manual_seed(self.settings.seed + 1 + self.seen)

    def save(self, checkpoint: Path) -> None:
        state = {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "elapsed": self.elapsed,
            "seen": self.seen,
            "rounds": isinstance(self.net, RoundedNet),
            "faces": self.faces,
            "settings": self._kept_settings(),
        }
        write_checkpoint(checkpoint, state)

    def step(self) -> None:
        """One batch."""
        settings = self.settings
        if settings.rounded and self.seen >= self._rounds_from and isinstance(self.net, DistilNet):
            self._round()
            self.net.start_from_data(self._changed(self.train[:256], self.size))
        share = self.seen / settings.crops
        of_stage = share / (1 - settings.rounded)
        if isinstance(self.net, RoundedNet):
            of_stage = (self.seen - self._rounds_from) / (settings.crops - self._rounds_from)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * _rate(of_stage)
        side = settings.small_size if share < settings.small_share else self.size
        rows = torch.randint(len(self.train), (settings.batch,), generator=self.generator, device=self.device)
        chosen = self.train[rows]
        self.net.train()
        with bfloat16(settings.half_precision, self.device.type):
            found = self.net(self._changed(chosen, side))
        found = F.normalize(found.float(), dim=1)
        cosine, divergence = self._losses(found, self.wanted[chosen])
        self.optimiser.zero_grad(set_to_none=True)
        (2 * cosine + divergence).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.seen += len(chosen)
        keep = 0.98 if self.cosine else 0.0
        self.cosine = keep * self.cosine + (1 - keep) * float(cosine.detach())
        self.divergence = keep * self.divergence + (1 - keep) * float(divergence.detach())

    @torch.no_grad()
    def record(self) -> Record:
        """Where the training is, and the cosine to the teachers on faces held out, whole and with each zone hidden."""
        self.net.eval()
        crops = self.crops[self.held[:256]].permute(0, 3, 1, 2).float()
        crops = F.interpolate(crops, size=(self.size, self.size), mode="bilinear", antialias=True)
        wanted = self.wanted[self.held[:256]]
        found = {"held_out_cosine": crops}
        for zone in self.settings.zones[:3]:
            without = augment.hide_zone(crops, self.generator, zone=zone, fill=self.fill)
            found[f"held_out_cosine_without_{zone}"] = without
        cosines = {name: float(F.cosine_similarity(self._of(x), wanted).mean()) for name, x in found.items()}
        here = {"elapsed_s": round(self.elapsed), "crops": self.seen}
        return {**here, "cosine_loss": self.cosine, "divergence": self.divergence, **cosines}

    def _of(self, crops: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.net(part) for part in torch.split(crops, 32)])

    def _losses(self, found: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean of one minus the cosine to the teachers, and of the divergence on a bank of other faces."""
        settings = self.settings
        others = torch.randint(len(self.wanted), (settings.bank,), generator=self.generator, device=self.device)
        bank = torch.cat([wanted, self.wanted[others]]).T / settings.temperature
        theirs, ours = F.log_softmax(wanted @ bank, 1), F.log_softmax(found @ bank, 1)
        divergence = F.kl_div(ours, theirs, log_target=True, reduction="batchmean")
        return (1 - (found * wanted).sum(1)).mean(), divergence

    def _changed(self, chosen: torch.Tensor, side: int) -> torch.Tensor:
        return changed(self.crops[chosen], side, self.settings, self.fill, self.generator)

    def _kept_settings(self) -> dict[str, object]:
        """What a run may not change when it goes on."""
        kept = asdict(self.settings)
        return {name: value for name, value in kept.items() if name != "record_every"}


def changed(
    crops: torch.Tensor, side: int, settings: DistilSettings, fill: tuple[int, int, int], generator: torch.Generator
) -> torch.Tensor:
    """(B, T, T, 3) uint8 RGB -> (B, 3, side, side) float: each crop changed at random, some with a part hidden.

    ``fill`` hides it; the ``generator`` is on the crops' device.
    """
    x = crops.permute(0, 3, 1, 2).float()
    x = augment.pose(x, side, generator, times=settings.pose)
    x = augment.sharpness(augment.light(x, generator), generator)
    x = augment.innocent_glasses(x, generator, share=settings.glasses)
    drawn = torch.rand(len(x), generator=generator, device=x.device) / max(settings.hidden, 1e-9)
    rectangle = augment.hide_area(x, generator, fill=fill, least=0.03, most=0.45)
    x = torch.where(((drawn >= 0.5) & (drawn < 1)).view(-1, 1, 1, 1), rectangle, x)
    shares = [settings.first_zone, *(1.0 for _ in settings.zones[1:])]
    ends = [0.0, *(0.5 * end / sum(shares) for end in accumulate(shares))]
    for zone, (begin, end) in zip(settings.zones, pairwise(ends), strict=False):
        hidden = (drawn >= begin) & (drawn < end)
        without = augment.hide_zone(x, generator, zone=zone, fill=fill)
        x = torch.where(hidden.view(-1, 1, 1, 1), without, x)
    return x.contiguous(memory_format=torch.channels_last)


def _rate(share: float) -> float:
    """Learning-rate factor after ``share`` of the time: 3 % linear warm-up, then a cosine to nearly zero."""
    return share / 0.03 if share < 0.03 else max(0.5 * (1 + math.cos(math.pi * min(1.0, share))), 0.01)

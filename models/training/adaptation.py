"""Adapts a VGG16 trunk to faces: margin classification of many people plus distillation from a teacher.

A batch normalisation layer is inserted after each convolution of the trained blocks, starting from the
net's own statistics so that the function does not change, and folded back at the end: the result is a
plain VGG16 again. Losses: CosFace (Wang et al. 2018) over the people, and one minus the cosine between a
linear map of the embedding and the teacher's embedding of the *unoccluded* picture, which teaches the
trunk to see through what hides part of a face.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from models.crop.zones import Zone
from models.digest import digest_of
from models.network.vgg16 import VGG16
from models.training import augment
from models.training.adaptation_net import AdaptationNet, cosface
from models.training.checkpoint import read_checkpoint, write_checkpoint
from models.training.device import CPU
from models.training.half_precision import bfloat16


@dataclass(frozen=True)
class AdaptationSettings:
    """How long and how to adapt; times are seconds of wall clock, summed over resumed runs.

    For a share ``heads_first`` of the time only the fresh embedding and heads learn, from each crop's features
    ``repeats`` times: their first gradients would tear a trunk that is already good. ``zone_share`` of the crops
    are seen without one of ``zones``, ``blob_share`` with islands filled as the saliency mask fills them,
    ``glasses_share`` with drawn glasses.
    ``pose`` multiplies the random shifts, turns and sizes. ``half_precision`` computes in bfloat16 where the device can
    (weights stay float32).
    """

    seconds: float
    batch: int = 64
    first_block: int = 3
    margin: float = 0.25
    cosine_scale: float = 32.0
    distillation: float = 16.0
    learning_rate: float = 3e-4
    head_learning_rate: float = 1e-3
    small_size: int = 96
    small_share: float = 0.6
    heads_first: float = 0.08
    repeats: int = 8
    zones: tuple[Zone, ...] = ("eyewear",)
    zone_share: float = 0.25
    blob_share: float = 0.2
    glasses_share: float = 0.15
    pose: float = 1.0
    weight_decay: float = 5e-4
    half_precision: bool = False
    held_out: float = 0.05
    seed: int = 0


def _schedule(share: float) -> float:
    """Learning-rate factor after ``share`` of the time: 3 % linear warm-up, then a cosine to zero."""
    return share / 0.03 if share < 0.03 else 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def adapt_trunk(
    model: VGG16,
    crops: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    teacher: npt.NDArray[np.float32],
    settings: AdaptationSettings,
    checkpoint: Path,
    go_on_from: Path | None = None,
    device: torch.device = CPU,
    once: npt.NDArray[np.bool_] | None = None,
) -> Iterator[dict[str, float]]:
    """Adapt ``model``'s trunk in place; yields a record of progress about every five minutes.

    The model belongs to the run until the generator is at its end: it may be moved, and holds what was reached.

    Args:
        model: a VGG16 whose trunk is the starting point; only its trunk is changed.
        crops: (N, T, T, 3) uint8 RGB, canonical pose, any side T.
        labels: (N,) person of each crop, 0 to P - 1.
        teacher: (N, W) the teacher's embedding of each crop.
        checkpoint: written at every record; an existing one is resumed.
        go_on_from: the last checkpoint of another run, whose net is the starting point in the model's place; its
            people have to be the first of these.
        device: where it is computed; at the end the model is on the CPU.
        once: (N,) which crops occur once: of those a share is held out, of repeated ones a copy would be trained on.
            None: all.

    Raises:
        ValueError: so few occur once that none would be held out, or a checkpoint does not fit.
    """
    generator = torch.Generator(device).manual_seed(settings.seed)
    order = torch.randperm(len(crops), generator=generator, device=device)
    single = order if once is None else order[torch.from_numpy(once).to(device)[order]]
    held = single[: int(len(single) * settings.held_out)]
    if not len(held):
        part = f"{settings.held_out:.0%} of them"
        raise ValueError(f"{len(single)} crops (repeated ones aside) are too few to hold {part} out: give more")
    train = order[~torch.isin(order, held)]
    begun = _beginning(model, go_on_from)
    net = AdaptationNet(
        model,
        people=int(labels.max()) + 1,
        teacher_width=teacher.shape[1],
        first_block=settings.first_block,
    ).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels, people = torch.from_numpy(crops).to(device), torch.from_numpy(labels).to(device)
    wanted = F.normalize(torch.from_numpy(teacher)).to(device)
    heads = [*net.embed.parameters(), net.people, *net.to_teacher.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": list(net.trained.parameters()), "lr": settings.learning_rate},
            {"params": heads, "lr": settings.head_learning_rate},
        ],
        weight_decay=settings.weight_decay,
    )
    base = [group["lr"] for group in optimiser.param_groups]
    step, elapsed = 0, 0.0
    faces = digest_of([crops, labels, teacher])
    if checkpoint.exists():
        state = read_checkpoint(checkpoint, device=device)
        if state is None or not isinstance(state.get("settings"), dict):
            raise ValueError(f"{checkpoint} is damaged or no checkpoint of such a run; remove it to start afresh")
        if state["settings"] != asdict(settings) | {"seconds": state["settings"].get("seconds")}:
            raise ValueError(f"{checkpoint} was written with other settings; remove it to start afresh")
        if state.get("faces") != faces:
            raise ValueError(f"{checkpoint} was written with other faces; remove it to start afresh")
        if state.get("begun") != begun:
            raise ValueError(f"{checkpoint} began with another trunk or checkpoint; remove it to start afresh")
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        step, elapsed = state["step"], state["elapsed"]
    elif go_on_from is not None:
        _start_from(net, go_on_from)
    else:
        with torch.no_grad():
            net.start_normalisation_from_data(
                _augmented(pixels[train[:256]], model, model.input_size, generator, settings)
            )
    generator.manual_seed(settings.seed + 1000 + step)
    last = time.monotonic()
    last_record, running = last, 0.0
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    while elapsed < settings.seconds:
        share = elapsed / settings.seconds
        heads_only = share < settings.heads_first
        trunk_share = (share - settings.heads_first) / (1 - settings.heads_first)
        for group, rate, spent in zip(optimiser.param_groups, base, (max(0.0, trunk_share), share), strict=True):
            group["lr"] = rate * _schedule(spent)
        net.trained.requires_grad_(not heads_only)
        size = settings.small_size if share < settings.small_share else model.input_size
        chosen = train[torch.randint(len(train), (settings.batch,), generator=generator, device=device)]
        net.train()
        x = _augmented(pixels[chosen], model, size, generator, settings)
        with bfloat16(settings.half_precision, device.type):
            features = net.features(x)
        if heads_only:
            seen.append((features.detach(), chosen))
        for repeat in range(settings.repeats if heads_only else 1):
            if repeat:
                features, chosen = _drawn_from(seen, settings.batch, generator)
            with bfloat16(settings.half_precision, device.type):
                embedding = net.embed(features)
            embedding = embedding.float()
            margin_loss = cosface(
                embedding, net.people, people[chosen], scale=settings.cosine_scale, margin=settings.margin
            )
            agreement = F.cosine_similarity(net.to_teacher(embedding), wanted[chosen]).mean()
            loss = margin_loss + settings.distillation * (1 - agreement)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
        step += 1
        running = 0.95 * running + 0.05 * float(loss.detach()) if running else float(loss.detach())
        now = time.monotonic()
        elapsed, last = elapsed + now - last, now
        if now - last_record > 300 or elapsed >= settings.seconds:
            last_record = now
            accuracy, cosine = _held_out_scores(net, pixels[held], people[held], wanted[held])
            state = {
                "net": net.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "elapsed": elapsed,
                "settings": asdict(settings),
                "faces": faces,
                "begun": begun,
            }
            write_checkpoint(checkpoint, state)
            yield {
                "step": step,
                "elapsed_s": round(elapsed),
                "size": size,
                "loss": running,
                "held_out_accuracy": accuracy,
                "held_out_teacher_cosine": cosine,
            }
            last = time.monotonic()  # the check is not training time
    net.eval().cpu().fold_into(model)


def _beginning(model: VGG16, checkpoint: Path | None) -> str:
    """Names by content what a run starts from.

    Raises:
        ValueError: the checkpoint cannot be read.
    """
    trunk = digest_of(values.cpu().numpy() for values in model.trunk.state_dict().values())
    if checkpoint is None:
        return trunk
    try:
        with checkpoint.open("rb") as stream:
            return trunk + hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"{checkpoint}: cannot be read ({error.strerror})") from error


def _start_from(net: AdaptationNet, checkpoint: Path) -> None:
    """Take over another run's net; people whom it did not have keep their fresh directions.

    Raises:
        ValueError: the file is no checkpoint of a run that this one could go on from.
    """
    try:
        earlier = (read_checkpoint(checkpoint) or {})["net"]
        with torch.no_grad():
            net.people[: len(earlier["people"])].copy_(earlier["people"])
        net.load_state_dict(earlier | {"people": net.people})
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{checkpoint}: no checkpoint of such a run to go on from") from error


def _drawn_from(
    seen: list[tuple[torch.Tensor, torch.Tensor]], count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """``count`` of the features that the fresh heads have seen, and whose they are."""
    device = generator.device
    batches = torch.randint(len(seen), (count,), generator=generator, device=device).tolist()
    rows = torch.randint(len(seen[0][1]), (count,), generator=generator, device=device).tolist()
    pairs = list(zip(batches, rows, strict=True))
    return torch.stack([seen[b][0][r] for b, r in pairs]), torch.stack([seen[b][1][r] for b, r in pairs])


def _augmented(
    crops: torch.Tensor, model: VGG16, size: int, generator: torch.Generator, settings: AdaptationSettings
) -> torch.Tensor:
    x = crops.permute(0, 3, 1, 2).float()
    x = augment.pose(x, size, generator, times=settings.pose)
    x = augment.light(x, generator)
    x = augment.sharpness(x, generator)
    x = augment.innocent_glasses(x, generator, share=settings.glasses_share)
    x = augment.occlusions(x, generator, fill=model.spec.fill_rgb)
    x = augment.blobs(x, generator, fill=model.spec.fill_rgb, share=settings.blob_share)
    drawn = (
        torch.rand(len(x), generator=generator, device=x.device) * len(settings.zones) / max(settings.zone_share, 1e-9)
    )
    for number, zone in enumerate(settings.zones):
        chosen = (number <= drawn) & (drawn < number + 1)
        without = augment.hide_zone(x, generator, zone=zone, fill=model.spec.fill_rgb)
        x = torch.where(chosen.view(-1, 1, 1, 1), without, x)
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _held_out_scores(
    net: AdaptationNet, crops: torch.Tensor, labels: torch.Tensor, wanted: torch.Tensor, *, most: int = 256
) -> tuple[float, float]:
    net.eval()
    right, cosine, count = 0, 0.0, min(most, len(crops))
    for first in range(0, count, 64):
        part = slice(first, min(first + 64, count))
        x = crops[part].permute(0, 3, 1, 2).float()
        x = F.interpolate(x, size=(net.size, net.size), mode="bilinear", antialias=True)
        embedding = net(x.contiguous(memory_format=torch.channels_last))
        cosines = F.normalize(embedding) @ F.normalize(net.people).T
        right += int((cosines.argmax(1) == labels[part]).sum())
        cosine += float(F.cosine_similarity(net.to_teacher(embedding), wanted[part]).sum())
    return right / count, cosine / count

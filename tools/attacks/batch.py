"""The images under attack, and how crops become grey levels and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.arrays import Bytes

MASK_LEVEL = 0.5  # alpha from which a pixel belongs to the accessory


@dataclass
class Batch:
    """The images still attacked. ``state`` holds what an attack remembers per image (first axis n)."""

    index: torch.Tensor  # (n,) position in the run
    crops: torch.Tensor  # (n, 3, S, S)
    region: torch.Tensor  # (n, 1, S, S) bool
    labels: torch.Tensor  # (n,)
    targets: torch.Tensor | None  # (n,)
    texture: torch.Tensor  # (n, 3, S, S)
    generators: list[torch.Generator]
    state: dict[str, torch.Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def goal(self) -> torch.Tensor:
        """(n,) the class whose probability is pushed: the target, or the own class when dodging."""
        return self.labels if self.targets is None else self.targets

    @property
    def seeds(self) -> list[int]:
        return [generator.initial_seed() for generator in self.generators]

    @property
    def targeted(self) -> bool:
        return self.targets is not None

    def worn(self, texture: torch.Tensor) -> torch.Tensor:
        """The crops with ``texture`` (n, 3, S, S) in the region."""
        return torch.where(self.region, texture, self.crops).contiguous(memory_format=torch.channels_last)

    def take(self, chosen: torch.Tensor) -> Batch:
        """The images that ``chosen`` (indices) names, repeats allowed."""
        places, chosen = chosen.cpu(), chosen.to(self.crops.device)
        return Batch(
            index=self.index[places],
            crops=self.crops[chosen],
            region=self.region[chosen],
            labels=self.labels[chosen],
            targets=None if self.targets is None else self.targets[chosen],
            texture=self.texture[chosen],
            generators=[self.generators[i] for i in places.tolist()],
            state={key: value[chosen.to(value.device)] for key, value in self.state.items()},
        )


def gather(
    model: nn.Module,
    crops: Bytes,
    labels: Sequence[int] | npt.NDArray[np.integer],
    targets: Sequence[int] | npt.NDArray[np.integer] | None,
    mask: npt.NDArray[np.generic],
    seed: int | Sequence[int],
) -> Batch:
    """Check what ``Attack.run`` was given and put it together.

    Raises:
        ValueError: see there.
    """
    count = len(crops)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[3] != 3 or count == 0:
        raise ValueError(f"crops must be (N, S, S, 3) uint8 with N > 0, got {crops.dtype} {crops.shape}")
    region = mask if mask.dtype == np.bool_ else mask.astype(np.float32) >= MASK_LEVEL
    region = np.broadcast_to(region, (count, *crops.shape[1:3])) if region.shape == crops.shape[1:3] else region
    if region.shape != crops.shape[:3]:
        raise ValueError(f"a mask of shape {mask.shape} does not fit crops of shape {crops.shape}")
    if not region.reshape(count, -1).any(axis=1).all():
        raise ValueError("a mask without a pixel leaves nothing to attack with")
    seeds = seeds_of(seed, count)
    for name, given in (("labels", labels), ("targets", targets), ("seeds", seeds)):
        if given is not None and len(given) != count:
            raise ValueError(f"{count} crops but {len(given)} {name}")
    pixels = to_levels(crops, model)
    device = pixels.device
    return Batch(
        index=torch.arange(count),
        crops=pixels,
        region=torch.from_numpy(np.array(region)).unsqueeze(1).to(device),
        labels=torch.as_tensor(np.asarray(labels), dtype=torch.int64, device=device),
        targets=None if targets is None else torch.as_tensor(np.asarray(targets), dtype=torch.int64, device=device),
        texture=pixels.clone(),
        generators=[torch.Generator().manual_seed(int(value) % 2**63) for value in seeds],
    )


def seeds_of(seed: int | Sequence[int], count: int) -> list[int]:
    """One for each of ``count`` pictures: those given, or of one for the whole run each picture's own."""
    return [seed * 1_000_003 + i for i in range(count)] if isinstance(seed, int) else list(seed)


def to_bytes(pixels: torch.Tensor) -> Bytes:
    """(N, 3, S, S) grey levels -> (N, S, S, 3) uint8; a level that is not whole would be a mistake."""
    levels: Bytes = pixels.detach().cpu().round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return levels


def to_levels(crops: Bytes, model: nn.Module) -> torch.Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) grey levels in the model's type and place, channels last."""
    like = next(model.parameters(), torch.zeros(()))
    pixels = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)
    return pixels.to(device=like.device, dtype=like.dtype).contiguous(memory_format=torch.channels_last)


@contextmanager
def frozen(model: nn.Module) -> Iterator[nn.Module]:
    """Within the block the model is in eval mode and its parameters need no gradient; then as before."""
    modes = [(module, module.training) for module in model.modules()]
    needs = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in needs:
            parameter.requires_grad_(False)
        yield model
    finally:
        for module, training in modes:
            module.training = training
        for parameter, need in needs:
            parameter.requires_grad_(need)

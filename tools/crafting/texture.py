"""One texture for one target, robust to a scene's small movements: what the demo's glasses are made with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.arrays import Bytes
from tools.attacks import EOT, SCENE, Sharif
from tools.attacks.base import Watch
from tools.attacks.batch import MASK_LEVEL


def make_texture(
    model: nn.Module,
    crops: Bytes,
    target: int,
    alpha: npt.NDArray[np.floating],
    *,
    eot: EOT | None = SCENE,
    steps: int = 300,
    confidence: float = 0.97,
    hold: int = 10,
    total_variation: float = 0.0,
    printability: float = 0.0,
    seed: int = 0,
    watch: Watch | None = None,
) -> Bytes:
    """An accessory that makes everybody on ``crops`` be taken for ``target``, as (S, S, 4) uint8 RGBA.

    Args:
        model: (N, 3, S, S) float RGB in [0, 1] -> logits.
        crops: (N, S, S, 3) uint8 RGB, 1 to 30 views of the attacker (more views, more robust).
        target: the class to be taken for.
        alpha: (S, S) opacity, from ``models.crop.wearables.frame_mask``; from 0.5 on a pixel is opaque, else clear.
        eot: random movements at every step, None for the crops as they are.
        steps: most updates. confidence, hold: stop when the mean over the random views has passed
            ``confidence`` for ``hold`` steps running.

    Raises:
        ValueError: as ``Attack.run``.
    """
    attack = Sharif(
        steps=steps,
        joint=True,
        eot=eot,
        hold=hold if eot is not None else 1,
        target_confidence=confidence,
        total_variation=total_variation,
        printability=printability,
    )
    count = len(crops)
    targets, nobody = np.full(count, target), np.zeros(count, np.int64)
    model = model.to(memory_format=torch.channels_last)  # a tenth faster on CPUs; the weights stay what they are
    found = attack.run(model, crops, nobody, targets, mask=alpha, seed=seed, watch=watch)
    return rgba_of(found.textures[0], alpha)


def rgba_of(texture: Bytes, alpha: npt.NDArray[np.floating]) -> Bytes:
    """(S, S, 3) and opacity (S, S) -> (S, S, 4): laid over the crop it gives the adversarial crop exactly."""
    picture = np.zeros((*alpha.shape, 4), np.uint8)
    opaque = alpha >= MASK_LEVEL
    picture[opaque, :3] = texture[opaque]
    picture[opaque, 3] = 255
    return picture

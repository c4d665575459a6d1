"""An attack that is asked for the same pictures several times, run once for each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from models.arrays import Bytes
from tools.attacks.base import Attack


class Remembered:
    """Runs ``attack`` for pictures that it has not seen with this label, target, mask and seed.

    What is kept is the attacked picture only; the model must not change between calls.
    """

    def __init__(self, attack: Attack) -> None:
        self.attack = attack
        self._found: dict[bytes, Bytes] = {}

    def adversarial(
        self,
        model: nn.Module,
        crops: Bytes,
        labels: npt.NDArray[np.integer[Any]],
        targets: npt.NDArray[np.integer[Any]] | None,
        *,
        mask: npt.NDArray[np.generic],
        seed: Sequence[int],
    ) -> Bytes:
        """The attacked crops (N, S, S, 3); ``mask`` (N, S, S), the rest as for ``Attack.run``."""
        goals = np.full(len(crops), -1) if targets is None else targets
        keys = [
            hashlib.sha256(one.tobytes() + where.tobytes() + f"{label} {goal} {start}".encode()).digest()
            for one, where, label, goal, start in zip(crops, mask, labels, goals, seed, strict=True)
        ]
        missing = [place for place, key in enumerate(keys) if key not in self._found]
        if missing:
            found = self.attack.run(
                model,
                crops[missing],
                labels[missing],
                None if targets is None else targets[missing],
                mask=mask[missing],
                seed=[seed[place] for place in missing],
            )
            self._found |= {keys[place]: one for place, one in zip(missing, found.adversarial, strict=True)}
        return np.stack([self._found[key] for key in keys])

"""A8, sanity check: the whole crop may change. Success has to be about 100 %, and to grow with the steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

from models.arrays import Bytes
from tools.attacks.base import AttackResult, Watch
from tools.attacks.bpda import BPDA


class Unbounded(BPDA):
    """BPDA on every pixel, from the crop itself; ``mask`` is ignored."""

    def run(
        self,
        model: nn.Module,
        crops: Bytes,
        labels: Sequence[int] | npt.NDArray[np.integer],
        targets: Sequence[int] | npt.NDArray[np.integer] | None = None,
        *,
        mask: npt.NDArray[np.generic],
        seed: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> AttackResult:
        self.first = "crop"
        everything = np.ones(crops.shape[1:3], np.bool_)
        return super().run(model, crops, labels, targets, mask=everything, seed=seed, watch=watch)

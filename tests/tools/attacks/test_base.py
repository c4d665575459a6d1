"""The loop and the book of every attack: which of the pictures that it passes is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tools.attacks.base import Attack, Objective
from tools.attacks.batch import Batch

NAN = float("nan")


class Played(Attack):
    """The texture is the number of the step; what is judged at each step is given beforehand."""

    def __init__(self, confidences: list[float], fooled: list[bool]) -> None:
        super().__init__(steps=len(confidences) - 1)
        self.confidences, self.fooled = confidences, fooled

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return torch.zeros_like(batch.crops)

    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        loss = pixels.flatten(1).sum(1)
        return Objective(loss, torch.full_like(loss, self.confidences[step]), torch.full((1,), self.fooled[step]))

    def update(self, batch: Batch, gradient: torch.Tensor, step: int) -> torch.Tensor:
        return batch.texture + 1


@pytest.mark.parametrize(
    ("confidences", "fooled", "kept"),
    [
        ([0.1, 0.3, 0.2], [False, False, False], 1),
        ([0.1, 0.3, 0.4], [False, True, False], 1),  # somebody else leads at 0.4: the win at 0.3 is kept
        ([0.1, 0.3, 0.2], [False, False, True], 2),
        ([0.1, 0.3, 0.4], [False, True, True], 2),
        ([0.1, 0.3, NAN], [False, True, False], 1),
        ([NAN, 0.2, 0.1], [False, False, False], 1),
        ([0.1, 0.995, 0.999], [False, True, True], 1),  # sure enough: finished
    ],
)
@pytest.mark.parametrize("targeted", [True, False])
def test_a_picture_that_fools_is_kept_before_a_surer_one_that_does_not(
    confidences: list[float], fooled: list[bool], kept: int, targeted: bool
) -> None:
    if not targeted:  # the own class's confidence is to fall
        confidences = [1 - value for value in confidences]
    crops = np.full((1, 2, 2, 3), 9, np.uint8)
    found = Played(confidences, fooled).run(
        nn.Flatten(), crops, [0], [1] if targeted else None, mask=np.ones((2, 2), bool)
    )
    assert found.textures[0, 0, 0, 0] == kept
    assert found.confidences[0] == pytest.approx(confidences[kept])
    assert found.first_fooled[0] == (fooled.index(True) if True in fooled else -1)

"""A network whose gradients are taken in bfloat16.

What counts as success is said by the engine, in float32. On 8 pairs with 40 steps the defended probability of the
target was 0.57 in bfloat16 and 0.59 in float32 (A1), 0.57 and 0.62 (A3), in 56 and 59 % of the time.
"""

from __future__ import annotations

import torch
from torch import nn

from models.training.half_precision import bfloat16


class HalfPrecision(nn.Module):
    """The network computed in bfloat16; logits come out as float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) in [0, 1] -> (N, K)."""
        with bfloat16(device=pixels.device.type):
            logits: torch.Tensor = self.model(pixels)
        return logits.float()

"""A trunk and the rows of a gallery as one network: scaled cosines of the embedding with everybody's mean."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from models.network.architecture import InputSpec
from models.network.vgg16 import VGG16


class Cosines(nn.Module):
    """(N, D) embeddings -> (N, K): ``scale`` times their cosines with ``rows`` (K, D) of unit length.

    Where others (C, D) are given there is one number more, nobody's: ``nobody`` and the logarithm of the sum of their
    powers. A
    softmax over the K + 1 then gives everybody's probability with the others in its denominator.
    """

    def __init__(
        self, rows: torch.Tensor, *, scale: float = 1.0, others: torch.Tensor | None = None, nobody: float = 0.0
    ) -> None:
        super().__init__()
        self.scale, self.nobody = scale, nobody
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("others", others, persistent=False)
        self.rows: torch.Tensor
        self.others: torch.Tensor | None

    @property
    def people(self) -> int:
        return len(self.rows)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        unit = F.normalize(embeddings)
        scores = self.scale * unit @ self.rows.T
        if self.others is None:
            return scores
        nobody = (self.scale * unit @ self.others.T).logsumexp(dim=1, keepdim=True)
        return torch.cat([scores, nobody + self.nobody], dim=1)


class GalleryNet(nn.Module):
    """(N, 3, S, S) float RGB in [0, 1] -> logits (N, K), or (N, K + 1) with nobody's where ``others`` are given."""

    def __init__(
        self,
        trunk: VGG16,
        rows: torch.Tensor,
        *,
        scale: float = 1.0,
        others: torch.Tensor | None = None,
        nobody: float = 0.0,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.cosines = Cosines(rows, scale=scale, others=others, nobody=nobody)

    @property
    def spec(self) -> InputSpec:
        return self.trunk.spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.cosines(self.trunk(x))
        return logits

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) float RGB in [0, 1] -> (N, D), unit length."""
        return F.normalize(self.trunk(x))

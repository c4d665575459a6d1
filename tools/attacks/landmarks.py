"""A9: glasses whose pixels move the detector's landmarks, so that the crop follows them.

Both eyes' landmarks lie under the glasses, and the crop is cut by the landmarks: whoever moves them moves what
every later view sees. The attack is white-box on the last net of MTCNN (Zhang et al. 2016, O-Net), which places
the landmarks, in random boxes around the face as the earlier nets may propose them. What it achieved is measured
with the whole detector on the picture as it would be written.

Who also knows of the second look (``realtime.faces.realign``) has it see the face in place where it is not: in crops
that were moved along with the landmarks, and where the glasses stick out of the hidden zone, its net is to say that
nothing is displaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from models.arrays import Bools, Bytes
from models.crop.pose import TEMPLATE_SIDE
from realtime.faces.align import inverse, scale_of, similarity
from realtime.faces.realign import SIDE
from tools.faces.realign_net import seen

Points = npt.NDArray[np.floating]

_SIDE = 48  # of O-Net's input

#: Ways to pull the landmarks (left eye, right eye, nose, mouth corners): per landmark (x, y).
PULLS: dict[str, tuple[tuple[float, float], ...]] = {
    "up": ((0, -1),) * 5,
    "down": ((0, 1),) * 5,
    "left": ((-1, 0),) * 5,
    "right": ((1, 0),) * 5,
    "turn": ((0, -1), (0, 1), (0, 0), (0, 0), (0, 0)),
    "turn back": ((0, 1), (0, -1), (0, 0), (0, 0), (0, 0)),
    "shrink": ((1, 0), (-1, 0), (0, 0), (0, 0), (0, 0)),
    "grow": ((-1, 0), (1, 0), (0, 0), (0, 0), (0, 0)),
}


@dataclass(frozen=True)
class MoveLandmarks:
    """Sign steps with momentum on the pixels under a mask.

    Args:
        steps: updates. step_levels: length of the first in grey levels; it falls linearly to one.
        boxes: random boxes per step. spread: how far they differ, as a share of the face's side.
        certainty: the net's score of a face is kept above this: a face that is lost is no success.
    """

    steps: int = 60
    step_levels: float = 16.0
    boxes: int = 8
    spread: float = 0.12
    certainty: float = 0.97

    def run(
        self,
        onet: nn.Module,
        rgb: Bytes,
        box: Points,
        mask: Bools,
        pull: str,
        *,
        also: Callable[[torch.Tensor], torch.Tensor] | None = None,
        seed: int = 0,
    ) -> Bytes:
        """One picture.

        Args:
            onet: (n, 3, 48, 48) in [-1, 1] -> (box offsets (n, 4), landmarks (n, 10), scores (n, 2)).
            rgb: (H, W, 3) uint8.
            box: (4,) x1, y1, x2, y2 of the face as detected.
            mask: (H, W) bool, the pixels that may change.
            pull: one of ``PULLS``.
            also: of the pixels (1, 3, H, W), what is to become small besides: ``MisleadSecondLook``.

        Returns:
            (H, W, 3) uint8; equal to ``rgb`` outside the mask.
        """
        generator = torch.Generator().manual_seed(seed)
        start = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float()
        region = torch.from_numpy(mask.copy())
        direction = torch.tensor(PULLS[pull], dtype=torch.float32)
        pixels, momentum = start.clone(), torch.zeros_like(start)
        pixels = torch.where(region, torch.full_like(pixels, 128.0), pixels)
        for step in range(self.steps):
            pixels.requires_grad_(True)
            loss = self._loss(onet, pixels, box, direction, generator)
            if also is not None:
                loss = loss + also(pixels)
            (gradient,) = torch.autograd.grad(loss, pixels)
            with torch.no_grad():
                gradient = torch.where(region, gradient, torch.zeros_like(gradient))
                momentum = 0.9 * momentum + gradient / gradient.abs().mean().clamp_min(1e-12)
                length = max(1.0, self.step_levels * (1 - step / self.steps))
                moved = (pixels - length * momentum.sign()).clamp(0, 255).round()
                pixels = torch.where(region, moved, start)
        found: Bytes = pixels[0].permute(1, 2, 0).to(torch.uint8).numpy()
        return found

    def _loss(
        self, onet: nn.Module, pixels: torch.Tensor, box: Points, direction: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        views = boxes_around(box, self.boxes, self.spread, generator)
        _, landmarks, scores = onet((cut(pixels, views) - 127.5) / 128)
        # x of all five, then y of all five, as shares of the box
        placed = torch.stack([landmarks[:, :5], landmarks[:, 5:]], dim=2)
        pulled = (placed * direction).sum(dim=(1, 2)).mean()
        unsure = F.relu(self.certainty - scores[:, 1]).mean()
        return -pulled + 20 * unsure


class MisleadSecondLook:
    """How far the second look's net moves crops that lie wrong, on average, in its units.

    Args:
        net: (n, 3, 68, 68) -> (n, 4), ``tools.faces.realign_net``.
        landmarks: (5, 2) in the picture, where they are. pull: one of ``PULLS``, along which the crops are moved.
        by: how far, in pixels of a crop of 224.
    """

    def __init__(self, net: nn.Module, landmarks: Points, pull: str, by: Sequence[float] = (25.0, 40.0, 55.0)) -> None:
        self._net = net
        direction, pixel = np.array(PULLS[pull]), 1 / scale_of(similarity(landmarks, TEMPLATE_SIDE))
        poses = [similarity(landmarks + far * pixel * direction, SIDE) for far in by]
        self._back = [torch.from_numpy(inverse(pose)).float() for pose in poses]

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Of a picture (1, 3, H, W) RGB on 0-255: a scalar."""
        size = torch.tensor([pixels.shape[-1], pixels.shape[-2]])
        line = torch.arange(SIDE, dtype=torch.float32)
        y, x = torch.meshgrid(line, line, indexing="ij")
        places = torch.stack([x, y, torch.ones_like(x)], dim=-1)
        crops = []
        for back in self._back:
            grid = (2 * (places @ back.T) + 1) / size - 1
            crops.append(F.grid_sample(pixels, grid[None], mode="bilinear", align_corners=False))
        found: torch.Tensor = self._net(seen(torch.cat(crops))).abs().mean()
        return found


def boxes_around(box: Points, count: int, spread: float, generator: torch.Generator) -> torch.Tensor:
    """(count, 4) random squares around a face's box, somewhat larger than it on average."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    side = max(x2 - x1, y2 - y1)
    random = torch.rand(count, 3, generator=generator) * 2 - 1
    centre_x = (x1 + x2) / 2 + random[:, 0] * spread * side
    centre_y = (y1 + y2) / 2 + random[:, 1] * spread * side
    half = side * (1.05 + random[:, 2] * spread) / 2
    return torch.stack([centre_x - half, centre_y - half, centre_x + half, centre_y + half], dim=1)


def cut(pixels: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The parts (n, 3, 48, 48) of a picture (1, 3, H, W) inside boxes (n, 4), differentiable; black outside."""
    height, width = pixels.shape[-2:]
    theta = torch.zeros(len(boxes), 2, 3)
    theta[:, 0, 0] = (boxes[:, 2] - boxes[:, 0]) / width
    theta[:, 1, 1] = (boxes[:, 3] - boxes[:, 1]) / height
    theta[:, 0, 2] = (boxes[:, 0] + boxes[:, 2]) / width - 1
    theta[:, 1, 2] = (boxes[:, 1] + boxes[:, 3]) / height - 1
    finer = 2  # sampled twice as finely and averaged, as MTCNN's area resampling does
    grid = F.affine_grid(theta, [len(boxes), 3, _SIDE * finer, _SIDE * finer], align_corners=False)
    views = F.grid_sample(pixels.expand(len(boxes), -1, -1, -1), grid, mode="bilinear", align_corners=False)
    return F.avg_pool2d(views, finer)

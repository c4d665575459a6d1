"""The reference engine: torch, with guided backpropagation by autograd."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.crop.zones import ViewSelection
from models.engines.base import with_views_apart
from models.network.gallery_net import GalleryNet
from models.network.guided_backprop import guided_backprop
from models.saliency_mask import scale_saliency


class TorchEngine:
    """See ``models.engines.base.Engine``. ``threads`` sets torch's own number for the whole process."""

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.model = bundle.torch_model().to(memory_format=torch.channels_last)
        self._fill_rgb = bundle.info.trunk.spec.fill_rgb
        self.name = f"torch {torch.__version__.split('+')[0]} (CPU)"

    def outputs(self, crops: Bytes, selection: ViewSelection | None = None) -> Floats:
        crops = selection.and_crops(crops, self._fill_rgb) if selection else crops
        with torch.inference_mode():
            outputs: Floats = self.model(_pixels(crops)).numpy()
        return outputs

    def outputs_and_saliency(
        self, crops: Bytes, rows: Floats | None, percentile: float, selection: ViewSelection | None = None
    ) -> tuple[Floats, Floats]:
        if selection:
            return with_views_apart(self, crops, rows, percentile, selection, self._fill_rgb)
        if len(crops) == 0:
            return self.outputs(crops), np.zeros(crops.shape[:3], np.float32)
        scored: nn.Module = self.model if rows is None else GalleryNet(self.model, torch.from_numpy(rows))
        outputs: list[torch.Tensor] = []
        handle = self.model.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach()))
        try:
            gradient = guided_backprop(scored, _pixels(crops))
        finally:
            handle.remove()
        return outputs[0].numpy(), scale_saliency(gradient.permute(0, 2, 3, 1).numpy(), percentile)


def _pixels(crops: Bytes) -> torch.Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) float in [0, 1]; the memory stays channels-last."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255

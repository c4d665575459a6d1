"""A bundle of another input size, made on the fly: the same architecture, for timing only."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.bundle import Bundle, DefenceInfo, write_bundle
from models.network.vgg16 import VGG16
from models.saliency_mask import MaskParameters


def bundle_of_size(bundle: Bundle, size: int, folder: Path) -> Bundle:
    """``bundle`` itself where it has that size; otherwise one in ``folder`` with an untrained head.

    The convolutions are the bundle's own, which do not depend on the size; its names mean nothing. The mask's
    parameters are the published ones at that size.
    """
    if bundle.info.input_size == size:
        return bundle
    torch.manual_seed(0)
    trained = bundle.torch_model()
    labels = bundle.labels if len(bundle.labels) > 1 else ("somebody", "somebody else")
    model = VGG16(classes=len(labels), input_size=size, spec=bundle.info.trunk.spec, slim=trained.slim)
    model.trunk.load_state_dict(trained.trunk.state_dict())
    for layer in model.head:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    first = next(layer for layer in model.head if isinstance(layer, nn.Linear))
    parameters = MaskParameters.published(size)
    info = bundle.info.model_copy(
        update={
            "name": f"untrained-{size}",
            "labels": labels,
            "embedding": None,  # a closed set of as many people: it costs the same
            "input_size": size,
            "hidden": first.out_features,
            "defence": DefenceInfo(
                threshold=parameters.threshold, iterations=parameters.iterations, min_area=parameters.min_area
            ),
            "calibration": {},  # ranges of 8-bit layers, for one, hold for the trained size only
            "training": {"note": "untrained head: for timing only"},
            "sha256": {},
        }
    )
    return write_bundle(folder, model.eval(), info)

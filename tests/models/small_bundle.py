"""A small bundle with random weights: the real code on a net that runs in milliseconds."""

from pathlib import Path

import torch

from models.bundle import Bundle, BundleInfo, DefenceInfo, TrunkInfo, write_bundle
from models.network.vgg16 import VGG16


def make_small_bundle(folder: Path, *, size: int = 32, classes: int = 4, seed: int = 0) -> Bundle:
    torch.manual_seed(seed)
    model = VGG16(classes=classes, input_size=size, hidden=16)
    with torch.no_grad():  # He's scale keeps the activations, and so the logits, of a useful size
        for layer in model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    info = BundleInfo(
        name="small",
        labels=tuple(f"Person {index}" for index in range(classes)),
        input_size=size,
        hidden=16,
        trunk=TrunkInfo(source="random", mean=model.spec.mean, channel_order=model.spec.channel_order),
        defence=DefenceInfo(threshold=0.9, iterations=1, min_area=3),
    )
    return write_bundle(folder, model, info)

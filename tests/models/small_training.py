"""Networks, people and features that are small enough to be learnt in a test."""

import numpy as np
import torch
from torch import nn

from models.network.vgg16 import VGG16
from models.training.fit import Examples, FitSettings

QUICK = FitSettings(epochs=12, batch=32, learning_rate=3e-3, averaging=0.0)


def small_model(classes: int, seed: int = 0) -> VGG16:
    torch.manual_seed(seed)
    model = VGG16(classes=classes, input_size=32, hidden=32, dropout=0.2)
    for layer in model.convolutions().values():
        torch.nn.init.kaiming_normal_(layer.weight)
    return model.eval()


def drawn_people(count: int = 3, each: int = 10, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Everybody is a colour of skin with differently placed eyes and mouth, and noise."""
    random = np.random.default_rng(1)
    skins = [(220, 180, 150), (70, 50, 40), (80, 120, 220), (210, 70, 60)]
    looks = [(np.array(skins[index]), 8 + 2 * index, 9 + 3 * (index % 2)) for index in range(count)]
    crops, labels = [], []
    for label, (skin, eye, mouth) in enumerate(looks):
        for _ in range(each):
            crop = np.clip(skin + random.normal(0, 12, (size, size, 3)), 0, 255)
            crop[eye : eye + 4, 8:14] = crop[eye : eye + 4, 26:32] = 20
            crop[38 - mouth : 40 - mouth, 12:28] = 90
            crops.append(crop.astype(np.uint8))
            labels.append(label)
    return np.stack(crops), np.array(labels, dtype=np.int64)


def blobs_of_features(count: int = 90, classes: int = 3, width: int = 20, seed: int = 0) -> Examples:
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=count)
    centres = np.random.default_rng(7).normal(0, 2, (classes, width))
    features = (centres[labels] + random.normal(0, 1, (count, width))).astype(np.float16)
    return Examples([features], labels.astype(np.int64))


def head(width: int = 20, classes: int = 3, seed: int = 0, hidden: int = 16) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, classes))

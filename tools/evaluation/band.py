"""The eye band always hidden, with a head trained for it: nothing that stays within the band can change the answer.

The baseline to beat: certified for glasses, one forward pass. The trunk is the bundle's; only the head is
trained anew, on crops with the band hidden, mirrored ones among them.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch

from models.arrays import Bytes, Floats, Labels
from models.network.vgg16 import VGG16
from models.recogniser import Recogniser
from models.training.augment import hide_eye_band
from models.training.calibration import calibrate, fold_temperature
from models.training.features import Augmentation, version
from models.training.fit import Examples, FitSettings, fit, predict


def band_mask(size: int) -> np.ndarray:
    """(S, S) bool, what is hidden."""
    hidden = hide_eye_band(torch.zeros(1, 3, size, size), torch.Generator(), fill=(1, 1, 1))
    return np.asarray(hidden[0, 0].numpy() > 0)


def hidden_band(crops: Bytes, fill: tuple[int, int, int]) -> Bytes:
    """The crops (N, S, S, 3) with the band filled."""
    found = crops.copy()
    found[:, band_mask(crops.shape[1])] = fill
    return found


def train_band_head(
    recogniser: Recogniser,
    crops: Bytes,
    labels: Labels,
    held_crops: Bytes,
    held_labels: Labels,
    *,
    folder: Path | None,
    epochs: int = 100,
    seed: int = 0,
) -> VGG16:
    """A copy of the bundle's network whose head knows faces without their eyes.

    Args:
        crops: (N, S, S, 3) at the recogniser's size, those that the bundle was trained on.
        held_crops: those that it was validated on: they choose the epoch and the temperature.
        folder: keeps features and the checkpoint; None: nowhere.
    """
    model = recogniser.torch_model().requires_grad_(True)
    assert isinstance(model, VGG16)
    fill = model.spec.fill_rgb

    def features(some: Bytes, name: str) -> np.ndarray:
        place = None if folder is None else folder / "features"
        return version(model, hidden_band(some, fill), 0, Augmentation(), folder=place, name=f"band {name}").trunk

    mirrored = np.ascontiguousarray(crops[:, :, ::-1])
    known = Examples([features(crops, "plain"), features(mirrored, "mirrored")], labels)
    held = Examples([features(held_crops, "held")], held_labels)
    head = copy.deepcopy(model.head)
    settings = FitSettings(epochs=epochs, seed=seed)
    checkpoint = None if folder is None else folder / f"band-{recogniser.bundle.checksum[:10]}.pt"
    fit(head, known, {"clean": held}, settings, checkpoint=checkpoint)
    temperature = calibrate(predict(head, held.versions[0]).numpy(), held_labels).temperature
    last = head[-1]
    assert isinstance(last, torch.nn.Linear)
    fold_temperature(last, temperature)
    model.head = head
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def band_scores(model: VGG16, crops: Bytes) -> Floats:
    """(N, S, S, 3) with the band hidden already -> probabilities (N, K)."""
    pixels = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float()
    scores: Floats = model.logits_of_pixels(pixels).softmax(dim=1).numpy()
    return scores

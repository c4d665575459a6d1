"""Short attacks to train a head against: glasses of all shapes, and rectangles anywhere (Wu et al. 2020, DOA)."""

from __future__ import annotations

import numpy as np

from models.arrays import Bytes, Labels
from models.crop.pose import TEMPLATE_SIDE
from models.crop.wearables import SHAPES, box_mask, frame_mask
from models.network.vgg16 import VGG16
from tools.attacks.pgd import MaskedPGD
from tools.faces.people import at_size

STEPS = 4
LEVELS = 64  # of the first step: four have to go far
RECTANGLE = (100.0, 50.0)  # width and height of 224, as DOA's
RECTANGLES = 0.25  # the share of crops with one; the others wear glasses


def short_attacks(model: VGG16, crops: Bytes, labels: Labels, *, seed: int = 0) -> Bytes:
    """Crops (N, T, T, 3) -> (N, S, S, 3), each attacked to be taken for somebody drawn at random.

    Masked PGD of ``STEPS`` steps from grey, and nobody is finished early: what is trained on is the worst found.
    """
    random = np.random.default_rng(seed)
    size = model.input_size
    masks = np.stack([_mask(random, size) for _ in crops])
    targets = (labels + random.integers(1, model.classes, len(labels))) % model.classes
    attack = MaskedPGD(steps=STEPS, step_levels=LEVELS, start="grey", target_confidence=1.0, group=32)
    return attack.run(model, at_size(crops, size), labels, targets, mask=masks, seed=seed).adversarial


def _mask(random: np.random.Generator, size: int) -> np.ndarray:
    """(S, S) alpha."""
    if random.random() < RECTANGLES:
        width, height = RECTANGLE
        low = np.array([width, height]) / 2
        x, y = random.uniform(low, TEMPLATE_SIDE - low)
        return box_mask(size, centre=(x, y), width=width, height=height)
    return frame_mask(SHAPES[random.integers(len(SHAPES))], size)

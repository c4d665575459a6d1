"""Our attack against one that we did not write: masked PGD of the Adversarial Robustness Toolbox."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_nets import convolutional, named, other_classes, pictures

from models.crop.wearables import frame_mask
from models.recogniser import load_recogniser
from tools.attacks import Attack, MaskedPGD, Sharif
from tools.attacks.half_precision import HalfPrecision
from tools.crafting.pairs import draw_pairs, labels_of
from tools.faces.people import at_size, read_people

STEPS = 60
NETS = ((1, 2.0), (1, 3.0), (2, 2.0), (2, 2.5), (3, 2.0))  # seed, gain
STEP_SIZES = (2 / 255, 8 / 255, 32 / 255)


def attacked_by_art(
    net: torch.nn.Module,
    crops: np.ndarray,
    targets: np.ndarray,
    mask: np.ndarray,
    step: float,
    *,
    classes: int = 4,
    steps: int = STEPS,
) -> np.ndarray:
    evasion = pytest.importorskip("art.attacks.evasion", reason="needs adversarial-robustness-toolbox")
    classification = pytest.importorskip("art.estimators.classification")
    size = crops.shape[1]
    classifier = classification.PyTorchClassifier(
        model=net,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(3, size, size),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    attack = evasion.ProjectedGradientDescentPyTorch(
        classifier, norm=np.inf, eps=1.0, eps_step=step, max_iter=steps, targeted=True, batch_size=24, verbose=False
    )
    x = crops.transpose(0, 3, 1, 2).astype(np.float32) / 255
    found = attack.generate(x, y=targets, mask=np.broadcast_to(mask, x.shape).astype(np.float32))
    np.testing.assert_array_equal(found[:, :, ~mask], x[:, :, ~mask])
    return np.ascontiguousarray(np.rint(found * 255).astype(np.uint8).transpose(0, 2, 3, 1))


@pytest.mark.filterwarnings("ignore")
def test_masked_pgd_of_the_robustness_toolbox_does_not_succeed_more_often():
    """Same mask, steps and crops; theirs is the best of three step sizes, chosen for each net afterwards."""
    mask = np.zeros((12, 12), bool)
    mask[5:7, 3:9] = True
    theirs = ours = published = 0
    torch.set_num_threads(1)  # on networks this small a second one costs more than it does
    for seed, gain in NETS:
        net, crops = convolutional(gain=gain, seed=seed).float(), pictures(40, 12, seed=seed)
        own, other = other_classes(net, crops)
        attacked = [attacked_by_art(net, crops, other, mask, step) for step in STEP_SIZES]
        theirs += max(int((named(net, one).argmax(1) == other).sum()) for one in attacked)
        ours += fooled(net, MaskedPGD(steps=STEPS), crops, own, other, mask)
        published += fooled(net, Sharif(steps=STEPS), crops, own, other, mask)
    assert theirs > 0
    assert ours >= theirs
    # Sharif et al.'s own rule, kept as published, rounds down and drops updates: a little behind is right for it
    assert published >= 0.9 * theirs


def fooled(net: torch.nn.Module, attack: Attack, crops: np.ndarray, own, other, mask: np.ndarray) -> int:
    return int((named(net, attack.run(net, crops, own, other, mask=mask).adversarial).argmax(1) == other).sum())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(
    "SPECTACLEAR_CROPS" not in os.environ, reason="minutes long: SPECTACLEAR_CROPS names prepared crops"
)
def test_on_the_embedded_bundle_and_real_crops_it_does_not_succeed_more_often_either():
    """Both in bfloat16 where the gradients are taken; what counts is the engine's word on whole grey levels."""
    pairs, steps = 24, int(os.environ.get("SPECTACLEAR_ART_STEPS", "40"))
    recogniser = load_recogniser("plain", "onnxruntime-cpu", threads=2)
    people = read_people([Path(os.environ["SPECTACLEAR_CROPS"])], allow_single=True)
    people = replace(people, crops=at_size(people.crops, 112))
    places = labels_of(people, recogniser.labels, strangers=False)
    count = len(recogniser.labels)
    drawn = draw_pairs(people, places, recogniser.classify, count=pairs, seed=0, targets=range(count))
    crops = np.concatenate([pair.crops for pair in drawn])
    own, targets = np.array([pair.label for pair in drawn]), np.array([pair.target for pair in drawn])
    mask = frame_mask("classic", 112) >= 0.5
    net = HalfPrecision(recogniser.torch_model())
    theirs = []
    for step in STEP_SIZES:
        attacked = attacked_by_art(net, crops, targets, mask, step, classes=count, steps=steps)
        theirs.append(int((recogniser.classify(attacked).argmax(1) == targets).sum()))
    found = {}
    for name, attack in (("pgd", MaskedPGD(steps=steps)), ("sharif", Sharif(steps=steps))):
        attacked = attack.run(net, crops, own, targets, mask=mask).adversarial
        found[name] = int((recogniser.classify(attacked).argmax(1) == targets).sum())
    print(f"\nART {theirs} of {pairs} by step size {STEP_SIZES}, ours {found}, {steps} steps")
    assert max(theirs) > 0
    assert max(found.values()) >= max(theirs)

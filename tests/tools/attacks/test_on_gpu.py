"""Every attack where there is a GPU: its losses are those of the CPU, and it runs to its end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_people import SIZE, crops

from models.crop.wearables import frame_mask
from models.recogniser import Recogniser
from models.training.device import torch_device
from tools.attacks.batch import frozen, gather
from tools.attacks.registry import ATTACKS
from tools.attacks.settings import Settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")


@pytest.fixture(autouse=True)
def zones(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser, "zones", ("eyewear", "lower_face"))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_loss_on_the_gpu_is_that_on_the_cpu(name: str, recogniser: Recogniser) -> None:
    faces = crops(6)
    labels = recogniser.classify(faces).argmax(1)
    targets = (labels + 1) % 4
    losses = []
    for device in ("cpu", "cuda"):
        model = recogniser.torch_model().to(torch_device(device))
        attack = ATTACKS[name].make(replace(Settings(), attack=name, steps=4), recogniser)
        batch = gather(model, faces, labels, targets, frame_mask("wide", SIZE), 3)
        with frozen(model):
            batch.texture = attack.start(model, batch)
            found, gradient = attack.scored(model, batch, 0, with_gradient=True)
        assert gradient.device.type == device
        losses.append(found.loss.cpu().numpy())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_the_gpu_changes_only_what_is_worn(name: str, recogniser: Recogniser) -> None:
    faces = crops(6)
    labels = recogniser.classify(faces).argmax(1)
    model = recogniser.torch_model().to(torch_device("cuda"))
    attack = ATTACKS[name].make(replace(Settings(), attack=name, steps=6), recogniser)
    worn = frame_mask("wide", SIZE) >= 0.5
    found = attack.run(model, faces, labels, (labels + 1) % 4, mask=worn, seed=3)
    changed = (found.adversarial != faces).any(axis=(0, 3))
    assert changed[worn].any()
    assert not ATTACKS[name].confined or not changed[~worn].any()

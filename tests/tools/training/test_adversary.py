import copy

import numpy as np
import pytest
import torch

from models.network.vgg16 import VGG16
from models.recogniser import Recogniser
from models.training.fit import FitSettings
from models.training.recipe import train
from models.training.stages import RecipeSettings
from tests.tools import small_people
from tools.training.adversary import short_attacks

FIT = FitSettings(epochs=40, batch=16, learning_rate=3e-3, averaging=0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> VGG16:
    recogniser: Recogniser = small_people.make_recogniser(tmp_path_factory.mktemp("small"))
    found = recogniser.torch_model()
    assert isinstance(found, VGG16)
    return found


def names(model: VGG16, crops: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255).softmax(1)


def test_a_short_attack_lowers_the_right_names_probability_and_touches_a_part_of_the_crop(model: VGG16) -> None:
    crops = small_people.crops(24)
    before = names(model, crops)
    labels = before.argmax(1).numpy()
    attacked = short_attacks(model, crops, labels)
    after = names(model, attacked)
    right = torch.from_numpy(labels)[:, None]
    assert float(after.gather(1, right).mean()) < 0.8 * float(before.gather(1, right).mean())
    changed = (attacked != crops).any(axis=3).mean(axis=(1, 2))
    assert (changed > 0.02).all()
    assert (changed < 0.3).all()


def test_the_head_goes_on_with_the_attacked_crops_and_knows_them_better(model: VGG16) -> None:
    labels = np.arange(64, dtype=np.int64) % 4
    noise = np.random.default_rng(0).normal(25, 15, (64, 32, 32, 3))
    crops = np.clip(small_people.crops(4)[labels] * 0.8 + noise, 0, 255).astype(np.uint8)
    settings = RecipeSettings(versions=0, least=1, glasses=0.0, head=FIT)
    fresh = copy.deepcopy(model).requires_grad_(True)
    certainty, again = [], []

    def certain(shown: np.ndarray, people: np.ndarray) -> float:
        return float(names(fresh, shown).gather(1, torch.from_numpy(people)[:, None]).mean())

    def adversary(net: VGG16, shown: np.ndarray, people: np.ndarray) -> np.ndarray:
        attacked = short_attacks(net, shown, people)
        certainty.extend([certain(shown, people), certain(attacked, people)])
        again.extend([attacked, people])
        return attacked

    trained = train(fresh, crops, labels, settings, adversary=adversary)
    assert list(trained.stages) == ["head", "adversarial"]
    fitted, fooled = certainty
    assert fitted > 0.4  # the attack is on a head that has learnt; chance is 0.25
    assert fooled < fitted - 0.1
    assert certain(*again) > fooled + 0.1

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import QUICK, drawn_people, small_model
from torch import nn

from models.errors import BadInput
from models.training import recipe, stages
from models.training.features import Augmentation, to_pixels
from models.training.fit import Examples, fit
from models.training.recipe import balanced, split, train
from models.training.stages import RecipeSettings


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of few channels, for what does not hang on what they learn."""
    monkeypatch.setattr("models.network.architecture.BLOCKS", ((2, 8), (2, 8), (3, 16), (3, 16), (3, 32)))


def test_the_split_takes_its_share_of_everybody_and_repeats_with_its_seed() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 1]).astype(np.int64)
    chosen, held = split(labels, share=0.2, seed=3)
    assert np.bincount(labels[held], minlength=3).tolist() == [2, 4, 0]  # one crop: only trained on
    assert sorted([*chosen, *held]) == list(range(31))
    again = split(labels, share=0.2, seed=3)
    assert np.array_equal(held, again[1])
    assert not np.array_equal(held, split(labels, share=0.2, seed=4)[1])


def test_people_with_few_crops_are_repeated() -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 2, 2], dtype=np.int64)
    found = balanced(np.array([0, 1, 2, 3, 4, 5, 7]), labels, least=4)
    assert found.tolist() == [0, 1, 2, 3, 4, 5, 5, 5, 5, 7, 7, 7, 7]


def test_a_given_temperature_is_folded_in_and_none_is_found(narrow: None) -> None:
    crops, labels = drawn_people(3, 5)
    settings = RecipeSettings(versions=1, least=4, head=replace(QUICK, epochs=2))

    def trained(temperature: float | None) -> recipe.Trained:
        torch.manual_seed(0)
        return train(small_model(3), crops, labels, replace(settings, temperature=temperature))

    whole, half = trained(1.0), trained(0.5)
    np.testing.assert_allclose(half.logits, 2 * whole.logits, rtol=1e-4, atol=1e-5)
    assert whole.calibration is None
    assert trained(None).calibration is not None


def test_people_with_one_picture_each_are_trained_on_and_not_validated(narrow: None) -> None:
    crops, labels = drawn_people(3, 1)
    settings = RecipeSettings(versions=1, least=4, zones=("eyewear",), zone_versions=1, head=replace(QUICK, epochs=2))
    trained = train(small_model(3), crops, labels, settings)
    assert len(trained.validation) == 0
    assert trained.logits.shape == (0, 3)
    assert trained.calibration is None


def test_training_learns_drawn_people_and_a_single_portrait(tmp_path: Path) -> None:
    crops, labels = drawn_people(4, 8)
    keep = np.r_[0:24, 24:25]  # the fourth person has one picture
    gentle = Augmentation(shift=0.02, degrees=2, scale=0.02, hidden=0.2)
    head = replace(QUICK, epochs=80, batch=16, learning_rate=1e-3)
    settings = RecipeSettings(versions=3, least=10, head=head, augmentation=gentle, glasses=0.0)
    model = small_model(4)
    seen: set[str] = set()
    trained = train(
        model,
        crops[keep],
        labels[keep],
        settings,
        folder=tmp_path,
        progress=lambda stage, share, record: seen.add(stage),
    )
    assert seen == {"cache", "head"}
    assert trained.kept == "head"
    assert set(trained.occluded) == {"rectangle", "eye_band", "blobs"}
    held = labels[keep][trained.validation]
    assert set(held) == {0, 1, 2}
    assert float((trained.logits.argmax(1) == held).mean()) >= 0.8
    unseen = crops[25:]  # other pictures of the one with a single portrait
    with torch.no_grad():
        logits = model.logits_of_pixels(to_pixels(unseen, 32))
        again = model.logits_of_pixels(to_pixels(crops[keep][trained.validation], 32)).numpy()
    assert float((logits.argmax(1) == 3).float().mean()) >= 0.7
    np.testing.assert_allclose(again, trained.logits, atol=0.05 * np.abs(again).max())  # calibrated and folded


def test_the_last_block_is_kept_only_where_validation_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    crops, labels = drawn_people(3, 6)
    model = small_model(3)
    before = {name: layer.weight.clone() for name, layer in model.convolutions().items()}
    block = replace(QUICK, epochs=2, learning_rate=1e-4)
    settings = RecipeSettings(versions=1, least=1, head=replace(QUICK, epochs=15), block=block)

    def worthless(module, train, validation, settings, **more):  # type: ignore[no-untyped-def]
        if isinstance(module[0], nn.Conv2d):
            with torch.no_grad():
                module[0].weight.add_(1.0)
            return [{"epoch": 1.0, "loss": 0.0, "score": 0.0}]
        return fit(module, train, validation, settings, **more)

    monkeypatch.setattr(stages, "fit", worthless)
    trained = train(model, crops, labels, settings)
    assert trained.kept == "head"
    for name, layer in model.convolutions().items():
        assert torch.equal(layer.weight, before[name])

    monkeypatch.setattr(stages, "fit", fit)
    monkeypatch.setattr(recipe, "_better", lambda new, old: True)
    trained = train(model, crops, labels, settings)
    assert trained.kept == "block"
    changed = {name for name, layer in model.convolutions().items() if not torch.equal(layer.weight, before[name])}
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}


def test_a_person_without_a_crop_is_refused() -> None:
    crops, labels = drawn_people(2, 2)
    with pytest.raises(BadInput, match="at least one crop of each of the 3 people"):
        train(small_model(3), crops, labels, RecipeSettings())


def test_beside_a_further_zone_which_is_learnt_with_glasses_on_all_else_counts_twice(
    narrow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops, labels = drawn_people(2, 6, size=32)
    shown: list[tuple[Examples, Examples | None]] = []
    fitted = stages.fit

    def watched(module: nn.Sequential, known: Examples, *rest: object, **more: object) -> object:
        shown.append((known, more["strangers"]))  # type: ignore[arg-type]
        return fitted(module, known, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(stages, "fit", watched)
    settings = RecipeSettings(
        versions=1, zones=("eyewear", "lower_face"), zone_versions=2, head=replace(QUICK, epochs=1)
    )
    for share in (0.0, 1.0):
        train(
            small_model(2), crops, labels, replace(settings, zone_glasses=share, stranger_versions=1), strangers=crops
        )
    (without, strangers), (worn, _) = shown
    assert len(without.versions) == 2 * (2 + 2) + 2
    assert strangers is not None
    assert len(strangers.versions) == 2 * (1 + 1) + 1
    alike = [np.array_equal(a, b) for a, b in zip(without.versions, worn.versions, strict=True)]
    assert alike == [True] * 9 + [False]  # a zone's first version shows the faces as they are

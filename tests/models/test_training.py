from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models import training, training_run
from models.calibration import calibrate, expected_calibration_error, fold_temperature, softmax
from models.errors import BadInput
from models.features import Augmentation, to_pixels, version
from models.fitting import Examples, FitSettings, evaluate, fit
from models.training import balanced, split, train
from models.training_run import TrainingSettings
from models.vgg16 import VGG16, block_start

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


def head(width: int = 20, classes: int = 3, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, classes))


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


def test_version_zero_is_what_the_trunk_gives_for_the_plain_crop() -> None:
    model, (crops, _) = small_model(2), drawn_people(2, 3, size=32)
    features = version(model, crops, 0, Augmentation())
    with torch.no_grad():
        wanted = model.trunk(model.normalise(torch.from_numpy(crops).permute(0, 3, 1, 2).float()))
        through_block = model.trunk[block_start(5) :](torch.from_numpy(features.block4).float())
    scale = float(wanted.abs().max())
    np.testing.assert_allclose(features.trunk, wanted.numpy(), atol=2e-3 * scale)  # float16
    np.testing.assert_allclose(through_block.numpy(), wanted.numpy(), atol=5e-3 * scale)


def test_kept_features_are_read_back_and_belong_to_their_crops_and_trunk(tmp_path: Path) -> None:
    model, (crops, _) = small_model(2), drawn_people(2, 2)
    first = version(model, crops, 1, Augmentation(), folder=tmp_path)
    ticks: list[int] = []
    again = version(model, crops, 1, Augmentation(), folder=tmp_path, tick=ticks.append)
    assert np.array_equal(first.trunk, again.trunk)
    assert ticks == [4]
    assert len(list(tmp_path.iterdir())) == 1
    version(model, crops[::-1].copy(), 1, Augmentation(), folder=tmp_path)
    version(small_model(2, seed=1), crops, 1, Augmentation(), folder=tmp_path)
    version(model, crops, 1, Augmentation(hidden=0.1), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_crop_of_the_right_size_is_not_resampled() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    assert np.array_equal(to_pixels(crops, 32).permute(0, 2, 3, 1).numpy().astype(np.uint8), crops)
    assert to_pixels(crops, 48).shape == (2, 3, 48, 48)


def test_fitting_learns_separable_features() -> None:
    module, validation = head(), blobs_of_features(seed=5)
    assert evaluate(module, validation)[1] < 0.8
    history = fit(module, blobs_of_features(), {"clean": validation}, replace(QUICK, epochs=25))
    assert evaluate(module, validation)[1] > 0.95
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_weights_of_the_best_epoch_are_kept() -> None:
    module, validation = head(), blobs_of_features(seed=5)
    history = fit(module, blobs_of_features(), {"clean": validation}, QUICK)
    best = max(record["score"] for record in history)
    assert evaluate(module, validation)[1] == pytest.approx(best)


def test_patience_stops_a_training_that_no_longer_gets_better() -> None:
    settings = replace(QUICK, epochs=60, patience=4, learning_rate=0.03)
    swapped = blobs_of_features()
    swapped = Examples(swapped.versions, (swapped.labels + 1) % 3)  # the better it is learnt, the worse this goes
    history = fit(head(), blobs_of_features(), {"clean": swapped}, settings)
    best = max(range(len(history)), key=lambda i: (history[i]["score"], -history[i]["clean_loss"]))
    assert len(history) == best + 1 + 4 < 60


def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    examples, validation = blobs_of_features(), {"clean": blobs_of_features(seed=5)}
    settings = replace(QUICK, epochs=8, averaging=0.9)
    whole, cut = head(), head()
    fit(whole, examples, validation, settings)

    def stop(record: dict[str, float]) -> None:
        if record["epoch"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(cut, examples, validation, settings, checkpoint=tmp_path / "c.pt", save_every=1, on_epoch=stop)
    resumed = head(seed=9)  # its own weights do not matter
    history = fit(resumed, examples, validation, settings, checkpoint=tmp_path / "c.pt", save_every=1)
    assert len(history) == 8
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    with pytest.raises(ValueError, match="other settings"):
        fit(head(), examples, validation, replace(settings, batch=16), checkpoint=tmp_path / "c.pt")
    # of other faces it says nothing: as if there were no checkpoint
    others = replace(examples, labels=np.roll(examples.labels, 1))
    afresh, wanted = head(), head()
    fit(afresh, others, validation, settings, checkpoint=tmp_path / "c.pt")
    fit(wanted, others, validation, settings)
    for name, value in wanted.state_dict().items():
        assert torch.equal(value, afresh.state_dict()[name]), name


def test_strangers_make_the_answer_on_strangers_less_sure() -> None:
    examples, validation = blobs_of_features(), {"clean": blobs_of_features(seed=5)}
    random = np.random.default_rng(3)
    outside = Examples([random.normal(0, 3, (200, 20)).astype(np.float16)], np.zeros(200, dtype=np.int64))
    settings = replace(QUICK, epochs=40)

    def sureness(weight: float) -> float:
        module = head()
        fit(module, examples, validation, replace(settings, strangers=weight), strangers=outside)
        with torch.no_grad():
            fresh = torch.from_numpy(np.random.default_rng(4).normal(0, 3, (200, 20))).float()
            return float(module(fresh).softmax(1).max(dim=1).values.mean())

    assert sureness(1.0) < sureness(0.0) - 0.1


def test_distillation_makes_the_hidden_layer_tell_what_the_teacher_tells() -> None:
    """A linear map of the hidden layer must predict a direction that the labels do not contain."""
    plain = blobs_of_features()
    random = np.random.default_rng(2)
    nuisance = random.choice([-1.0, 1.0], len(plain))
    features = plain.versions[0].copy()
    features[:, 0] += (2 * nuisance).astype(np.float16)
    teacher = np.stack([nuisance, np.ones(len(plain))], axis=1).astype(np.float32) / np.sqrt(2).astype(np.float32)
    examples = Examples([features], plain.labels, teacher)

    def explained(weight: float) -> float:
        module = head()
        fit(module, examples, {}, replace(QUICK, epochs=60, distillation=weight, label_smoothing=0.0))
        with torch.no_grad():
            hidden = module[:-2](torch.from_numpy(features).float()).numpy()
        design = np.c_[hidden, np.ones(len(hidden))]
        solution, *_ = np.linalg.lstsq(design, nuisance, rcond=None)
        return float(1 - np.var(nuisance - design @ solution) / np.var(nuisance))

    assert explained(4.0) > explained(0.0) + 0.05


def test_temperature_undoes_a_known_overconfidence() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 1.5, (4000, 5)).astype(np.float32)
    labels = np.array([random.choice(5, p=p) for p in softmax(honest)])
    found = calibrate(3 * honest, labels)
    assert found.temperature == pytest.approx(3.0, rel=0.08)
    assert found.error_after < 0.03 < found.error_before


def test_the_calibration_error_of_a_hand_worked_case() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 0])  # bins 0.9: half right; 0.6: half right
    assert expected_calibration_error(probabilities, labels, bins=10) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_a_folded_temperature_divides_the_logits() -> None:
    layer, x = nn.Linear(4, 3), torch.randn(5, 4)
    with torch.no_grad():
        before = layer(x)
        fold_temperature(layer, 2.5)
        torch.testing.assert_close(layer(x) * 2.5, before)


def test_training_learns_drawn_people_and_a_single_portrait(tmp_path: Path) -> None:
    crops, labels = drawn_people(4, 8)
    keep = np.r_[0:24, 24:25]  # the fourth person has one picture
    gentle = Augmentation(shift=0.02, degrees=2, scale=0.02, hidden=0.2)
    fitting = replace(QUICK, epochs=80, batch=16, learning_rate=1e-3)
    settings = TrainingSettings(versions=3, least=10, head=fitting, augmentation=gentle, glasses=0.0)
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
    settings = TrainingSettings(versions=1, least=1, head=replace(QUICK, epochs=15), block=block)

    def worthless(module, train, validation, settings, **more):  # type: ignore[no-untyped-def]
        if isinstance(module[0], nn.Conv2d):
            with torch.no_grad():
                module[0].weight.add_(1.0)
            return [{"epoch": 1.0, "loss": 0.0, "score": 0.0}]
        return fit(module, train, validation, settings, **more)

    monkeypatch.setattr(training_run, "fit", worthless)
    trained = train(model, crops, labels, settings)
    assert trained.kept == "head"
    for name, layer in model.convolutions().items():
        assert torch.equal(layer.weight, before[name])

    monkeypatch.setattr(training_run, "fit", fit)
    monkeypatch.setattr(training, "_better", lambda new, old: True)
    trained = train(model, crops, labels, settings)
    assert trained.kept == "block"
    changed = {name for name, layer in model.convolutions().items() if not torch.equal(layer.weight, before[name])}
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}


def test_a_person_without_a_crop_is_refused() -> None:
    crops, labels = drawn_people(2, 2)
    with pytest.raises(BadInput, match="at least one crop of each of the 3 people"):
        train(small_model(3), crops, labels, TrainingSettings())


def test_beside_a_further_zone_which_is_learnt_with_glasses_on_all_else_counts_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crops, labels = drawn_people(2, 6, size=32)
    shown: list[tuple[Examples, Examples | None]] = []
    fitted = training_run.fit

    def watched(module: nn.Sequential, known: Examples, *rest: object, **more: object) -> object:
        shown.append((known, more["strangers"]))  # type: ignore[arg-type]
        return fitted(module, known, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(training_run, "fit", watched)
    settings = TrainingSettings(
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

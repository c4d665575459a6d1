from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import QUICK, blobs_of_features, head

from models.training.fit import Examples, evaluate, fit


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
    resumed = head()
    history = fit(resumed, examples, validation, settings, checkpoint=tmp_path / "c.pt", save_every=1)
    assert len(history) == 8
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_of_other_faces_settings_widths_or_first_weights_is_as_none(tmp_path: Path) -> None:
    examples, validation = blobs_of_features(), {"clean": blobs_of_features(seed=5)}
    others = replace(examples, labels=np.roll(examples.labels, 1))
    for known, settings, first in (
        (others, QUICK, {}),
        (examples, replace(QUICK, batch=16), {}),
        (examples, QUICK, {"hidden": 32}),
        (examples, QUICK, {"seed": 9}),
    ):
        fit(head(), examples, validation, QUICK, checkpoint=tmp_path / "c.pt")
        afresh, wanted = head(**first), head(**first)
        fit(afresh, known, validation, settings, checkpoint=tmp_path / "c.pt")
        fit(wanted, known, validation, settings)
        for name, value in wanted.state_dict().items():
            assert torch.equal(value, afresh.state_dict()[name]), name


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_as_none(tmp_path: Path, content: bytes | None) -> None:
    examples, path = blobs_of_features(), tmp_path / "c.pt"
    path.write_bytes(content) if content is not None else torch.save([1, 2], path)
    afresh, wanted = head(), head()
    fit(afresh, examples, {}, QUICK, checkpoint=path)
    fit(wanted, examples, {}, QUICK)
    assert all(torch.equal(value, afresh.state_dict()[name]) for name, value in wanted.state_dict().items())


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

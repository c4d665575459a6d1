from pathlib import Path

import numpy as np
import torch
from small_training import drawn_people, small_model

from models.network.vgg16 import block_start
from models.training.features import Augmentation, to_pixels, version


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


def test_features_of_a_trunk_with_other_biases_are_others(tmp_path: Path) -> None:
    model, (crops, _) = small_model(2), drawn_people(2, 2)
    before = version(model, crops, 1, Augmentation(), folder=tmp_path)
    with torch.no_grad():
        next(iter(model.convolutions().values())).bias.add_(20)
    after = version(model, crops, 1, Augmentation(), folder=tmp_path)
    assert not np.array_equal(before.trunk, after.trunk)


def test_damaged_features_are_computed_again(tmp_path: Path) -> None:
    model, (crops, _) = small_model(2), drawn_people(2, 2)
    first = version(model, crops, 1, Augmentation(), folder=tmp_path)
    (path,) = tmp_path.iterdir()
    for content in (path.read_bytes()[:-100], b"", b"no zip"):
        path.write_bytes(content)
        assert np.array_equal(version(model, crops, 1, Augmentation(), folder=tmp_path).trunk, first.trunk)


def test_a_crop_of_the_right_size_is_not_resampled() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    assert np.array_equal(to_pixels(crops, 32).permute(0, 2, 3, 1).numpy().astype(np.uint8), crops)
    assert to_pixels(crops, 48).shape == (2, 3, 48, 48)

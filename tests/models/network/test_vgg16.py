"""The network against torchvision's VGG16, and its limits."""

import pytest
import torch
import torchvision

from models.network.vgg16 import CONVOLUTION_NAMES, VGG16, InputSpec, block_start


def test_the_trunk_has_the_layers_of_torchvisions_vgg16() -> None:
    theirs = [
        str(layer).replace(", inplace=True", "").replace("inplace=True", "")
        for layer in torchvision.models.vgg16().features
    ]
    assert [str(layer) for layer in VGG16(classes=2).trunk] == theirs


def test_normalisation_is_part_of_the_network() -> None:
    model = VGG16(classes=2, input_size=32, hidden=4, spec=InputSpec(mean=(1.0, 2.0, 3.0), channel_order="BGR"))
    x = torch.zeros(1, 3, 32, 32)
    x[:, 0] = 1.0  # pure red on [0, 1]
    assert model.normalise(x * 255)[0, :, 0, 0].tolist() == [-1.0, -2.0, 252.0]


def test_the_fill_is_the_mean_colour_as_rgb() -> None:
    assert VGG16(classes=2, input_size=32, hidden=4).spec.fill_rgb == (124, 117, 104)


@pytest.mark.parametrize(("size", "hidden"), [(112, 512), (224, 64), (96, 512)])
def test_the_head_stays_below_three_million_parameters(size: int, hidden: int) -> None:
    head = VGG16(classes=31, input_size=size).head
    assert head[2].out_features == hidden
    assert sum(p.numel() for p in head.parameters()) <= 3_000_000


def test_too_large_a_head_too_small_an_input_and_nobody_are_refused() -> None:
    with pytest.raises(ValueError, match="head would have"):
        VGG16(classes=30, input_size=224, hidden=512)
    with pytest.raises(ValueError, match="at least 32"):
        VGG16(classes=30, input_size=31)
    with pytest.raises(ValueError, match="at least one person"):
        VGG16(classes=0)


def test_blocks_begin_where_their_names_say() -> None:
    model = VGG16(classes=2, input_size=32, hidden=4)
    named = model.convolutions()
    for block in range(1, 6):
        assert model.trunk[block_start(block)] is named[f"block{block}_conv1"]
    assert len(CONVOLUTION_NAMES) == 13
    assert block_start(6) == len(model.trunk)

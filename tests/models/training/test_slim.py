"""Taking channels away, where the answer is known: from networks that say everything twice."""

import pytest
import torch
from small_training import small_model
from torch import nn

from models.network.vgg16 import VGG16
from models.training.slim import slimmed


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.network.architecture.BLOCKS", ((2, 8), (2, 8), (3, 16), (3, 16), (3, 16)))


def said_twice(small: VGG16) -> VGG16:
    """A network of twice the channels that gives the same: each channel is there twice, in an order by chance."""
    torch.manual_seed(5)
    whole = VGG16(classes=small.classes, input_size=small.input_size, hidden=small.hidden, spec=small.spec)
    before = torch.arange(3)
    with torch.no_grad():
        for ours, theirs in zip(whole.convolutions().values(), small.convolutions().values(), strict=True):
            rows = torch.randperm(ours.out_channels) % theirs.out_channels
            times = torch.bincount(before)[before].float()
            ours.weight.copy_(theirs.weight[rows][:, before] / times.view(1, -1, 1, 1))
            ours.bias.copy_(theirs.bias[rows])
            before = rows
        first, _, last = [layer for layer in whole.head if isinstance(layer, nn.Linear | nn.ReLU)]
        of_small = [layer for layer in small.head if isinstance(layer, nn.Linear)]
        first.weight.copy_(of_small[0].weight[:, before] / 2)
        first.bias.copy_(of_small[0].bias)
        last.load_state_dict(of_small[1].state_dict())
    return whole.eval()


def half(seed: int = 0) -> VGG16:
    torch.manual_seed(seed)
    model = VGG16(classes=6, input_size=32, hidden=12, slim=2)
    for layer in model.convolutions().values():
        torch.nn.init.kaiming_normal_(layer.weight)
        torch.nn.init.normal_(layer.bias, std=10.0)
    return model.eval()


def test_a_slim_network_has_a_share_of_the_channels_of_every_convolution():
    slim, whole = half(), small_model(6)
    pairs = zip(slim.convolutions().values(), whole.convolutions().values(), strict=True)
    assert all(2 * ours.out_channels == theirs.out_channels for ours, theirs in pairs)
    assert (slim.slim, whole.slim) == (2, 1)


def test_what_a_network_says_twice_is_taken_away_without_a_loss():
    small = half()
    whole = said_twice(small)
    pixels = torch.rand(96, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        wanted = small.logits_of_pixels(pixels)
        torch.testing.assert_close(whole.logits_of_pixels(pixels), wanted, rtol=1e-4, atol=1e-2)
        found = slimmed(whole, pixels, 2).logits_of_pixels(pixels)
    assert found.shape == wanted.shape
    assert float((found - wanted).std() / wanted.std()) < 0.02


def test_a_slim_network_is_not_made_slimmer():
    with pytest.raises(ValueError, match="give a whole one"):
        slimmed(half(), torch.zeros(4, 3, 32, 32), 2)

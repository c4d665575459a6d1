"""VGG16 for faces (Simonyan & Zisserman 2014): 13 convolutions, then a small fully connected head.

Every non-linearity is an ``nn.ReLU`` module, because guided backpropagation replaces exactly those.
"""

from __future__ import annotations

import torch
from torch import nn

from models.network import architecture
from models.network.architecture import CAFFE_INPUT, CONVOLUTION_NAMES, InputSpec, trunk_width

__all__ = [
    "CAFFE_INPUT",
    "CONVOLUTION_NAMES",
    "VGG16",
    "InputSpec",
    "Normalise",
    "block_start",
    "make_head",
    "make_trunk",
]

MAX_HEAD_PARAMETERS = 4_000_000
_CHOSEN_PARAMETERS = 3_000_000  # of the hidden layer's width where none is given
MIN_INPUT_SIZE = 32  # five poolings leave nothing of a smaller picture


class Normalise(nn.Module):
    """(N, 3, S, S) RGB on 0-255 -> what the trunk was trained on."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(spec.scale).view(1, 3, 1, 1), persistent=False)
        self.mean: torch.Tensor
        self.scale: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.spec.channel_order == "BGR":
            x = x[:, [2, 1, 0]]
        x = x - self.mean
        return x if self.spec.scale == (1.0, 1.0, 1.0) else x * self.scale


def make_trunk(slim: int = 1) -> nn.Sequential:
    """The 13 convolutions as one Sequential of conv, ReLU and max-pool modules."""
    layers: list[nn.Module] = []
    channels = 3
    for count, width in architecture.blocks(slim):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def make_head(features: int, classes: int, *, hidden: int, dropout: float) -> nn.Sequential:
    """Fully connected layers with dropout.

    Raises:
        ValueError: more than ``MAX_HEAD_PARAMETERS`` parameters.
    """
    size = (features + 1) * hidden + (hidden + 1) * classes
    if size > MAX_HEAD_PARAMETERS:
        raise ValueError(
            f"the head would have {size:,} parameters, at most {MAX_HEAD_PARAMETERS:,} are allowed: "
            f"choose hidden below {MAX_HEAD_PARAMETERS // (features + 1)}"
        )
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(features, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )


class VGG16(nn.Module):
    """The recogniser's network: (N, 3, S, S) float RGB in [0, 1] -> logits (N, K), or embeddings of any length.

    Args:
        classes: numbers that it gives, D: a logit for each person of a closed set, or an embedding.
        input_size: side S of the crop in pixels, at least 32.
        hidden: width of the fully connected layer; 0 picks the widest power of two that the limit of
            3 million head parameters allows (512 at 112 and below, 64 at 224).
        dropout: probability of dropping a feature while training.
        spec: what the trunk expects of its input.
        slim: each convolution has one of that many of VGG16's channels.

    Raises:
        ValueError: an input size below 32, no class, or a head above the limit.
    """

    def __init__(
        self,
        *,
        classes: int,
        input_size: int = 112,
        hidden: int = 0,
        dropout: float = 0.5,
        spec: InputSpec = CAFFE_INPUT,
        slim: int = 1,
    ) -> None:
        super().__init__()
        if input_size < MIN_INPUT_SIZE:
            raise ValueError(f"input size {input_size} is too small, VGG16 needs at least {MIN_INPUT_SIZE}")
        if classes < 1:
            raise ValueError(f"a recogniser needs at least one person, got {classes}")
        features = trunk_width(input_size, slim)
        if hidden == 0:
            hidden = 512
            while (features + 1) * hidden + (hidden + 1) * classes > _CHOSEN_PARAMETERS and hidden > 1:
                hidden //= 2
        self.input_size = input_size
        self.normalise = Normalise(spec)
        self.trunk = make_trunk(slim)
        self.head = make_head(features, classes, hidden=hidden, dropout=dropout)

    @property
    def spec(self) -> InputSpec:
        return self.normalise.spec

    @property
    def classes(self) -> int:
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        return last.out_features

    @property
    def hidden(self) -> int:
        """Width of the hidden layer."""
        return next(layer.out_features for layer in self.head if isinstance(layer, nn.Linear))

    @property
    def slim(self) -> int:
        """How many of VGG16's channels come on one of this network's."""
        return architecture.BLOCKS[0][1] // self.convolutions()[CONVOLUTION_NAMES[0]].out_channels

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """The 13 convolutions by name, ``block1_conv1`` ... ``block5_conv3``."""
        layers = [layer for layer in self.trunk if isinstance(layer, nn.Conv2d)]
        return dict(zip(CONVOLUTION_NAMES, layers, strict=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits_of_pixels(x * 255.0)

    def logits_of_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) float RGB on 0-255 -> logits (N, K)."""
        logits: torch.Tensor = self.head(self.trunk(self.normalise(pixels)))
        return logits


def block_start(block: int) -> int:
    """Index in the trunk's Sequential where ``block`` (1 to 5; 6 = the end) begins."""
    return sum(2 * count + 1 for count, _ in architecture.BLOCKS[: block - 1])

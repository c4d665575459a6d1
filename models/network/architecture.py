"""The shape of VGG16 and what its trunk expects of its input, without torch: graphs are built from this alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: (convolutions, output channels) of the five blocks; each block ends in a 2 x 2 max-pool.
BLOCKS: tuple[tuple[int, int], ...] = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
CONVOLUTION_NAMES: tuple[str, ...] = tuple(
    f"block{block}_conv{conv}" for block, (count, _) in enumerate(BLOCKS, 1) for conv in range(1, count + 1)
)


def blocks(slim: int = 1) -> tuple[tuple[int, int], ...]:
    """``BLOCKS`` where every convolution has only one of ``slim`` of its channels."""
    return tuple((count, width // slim) for count, width in BLOCKS)


def trunk_width(input_size: int, slim: int = 1) -> int:
    """How many numbers the trunk gives for one crop of side ``input_size``."""
    return blocks(slim)[-1][1] * (input_size >> len(BLOCKS)) ** 2  # each block halves the side


@dataclass(frozen=True)
class InputSpec:
    """What a trunk expects: channels in ``channel_order``, on 0-255, minus ``mean``, times ``scale``.

    ``mean`` and ``scale`` are given in the trunk's own channel order.
    """

    mean: tuple[float, float, float]
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channel_order: Literal["RGB", "BGR"] = "BGR"

    @property
    def fill_rgb(self) -> tuple[int, int, int]:
        """The mean colour rounded, as RGB grey levels: what a masked pixel is set to."""
        mean = self.mean if self.channel_order == "RGB" else self.mean[::-1]
        r, g, b = (round(value) for value in mean)
        return r, g, b


CAFFE_INPUT = InputSpec(mean=(103.939, 116.779, 123.68), channel_order="BGR")

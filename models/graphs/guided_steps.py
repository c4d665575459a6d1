"""The steps of a guided backward pass as ONNX ops, in two styles that give equal results.

*Blocked* is for ONNX Runtime's CPU kernels. A ReLU's gate is added to the gradient, 0 where open and below
any gradient where shut, and a ReLU follows: ``relu(g + gate)`` is exactly ``relu(g) * (a > 0)``, and unlike
``Where`` and ``Equal`` it is fused into the convolution and never leaves the blocked memory layout.
*Plain* compares; it is for GPUs and other compilers.

Where a maximum occurs twice in a pooling window (any flat patch of colour, so exactly what glasses are made
of), autograd gives the gradient to the first. Comparing with the maximum gives it to all: measured on
photographs, saliency then differs by up to 0.1 in every second face and by 0.3 under a bar of one colour.
So the values are moved apart before the pooling: the later pixels of a window are lowered by one to three
units in the last place, after which both sides agree as well as two float32 runs of torch do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from models.graphs.builder import GraphBuilder

_SHUT = 1e30  # larger than any gradient
_STEEP = 1e38  # the smallest difference of two activations times this is still larger than _SHUT
_LOWEST = -3e38
_LAST_PLACE = 2.0**-23


@dataclass(frozen=True)
class Layer:
    """One op of the classifier between pixels and logits; ``channels`` and ``side`` are those of its output."""

    node: onnx.NodeProto
    channels: int
    side: int

    @property
    def kind(self) -> str:
        return str(self.node.op_type)

    @property
    def input(self) -> str:
        return str(self.node.input[0])

    @property
    def weight(self) -> str:
        return str(self.node.input[1])

    @property
    def output(self) -> str:
        return str(self.node.output[0])


class PlainSteps:
    """The guided steps as comparisons. ``shapes`` are the shapes that a runtime may not find out itself."""

    def __init__(self, graph: GraphBuilder, side: int) -> None:
        self.graph = graph
        self.crop_side = side
        self.shapes: list[onnx.ValueInfoProto] = []
        graph.constant("zero", 0.0)
        graph.constant("twice", [1, 1, 2, 2])
        graph.constant("one_more", [0, 0, 0, 0, 0, 0, 1, 1], np.int64)
        graph.constant("far_below", -_SHUT)

    def without_ties(self, relu: Layer) -> str:
        """The ReLU's output (N, C, s, s) with the second to fourth pixel of each 2 x 2 window a trifle lower."""
        return self.graph.op("Mul", [relu.output, self._factors(relu)], _apart(relu))

    def through_relu(self, gradient: str, activation: str, layer: Layer, name: str) -> str:
        """``relu(gradient) * (activation > 0)``, both (N, C, s, s)."""
        positive = self.graph.op("Relu", [gradient], f"{name}.positive")
        active = self.graph.op("Greater", [activation, "zero"], f"{name}.active")
        return self.graph.op("Where", [active, positive, "zero"], f"{name}.guided")

    def through_pool(self, gradient: str, relu: Layer, pool: Layer) -> str:
        """(N, C, s // 2, s // 2) -> (N, C, s, s): to where the maxima stood, the ReLU before included."""
        name = f"d_{pool.output}"
        gradient = self.through_relu(gradient, pool.output, pool, name)
        maxima = self.upsampled(pool.output, relu, "far_below")
        largest = self.graph.op("Equal", [_apart(relu), maxima], f"{name}.largest")
        return self.graph.op("Where", [largest, self.upsampled(gradient, relu, "zero"), "zero"], f"{name}.unpooled")

    def to_pixels(self, gradient: str, weight: npt.NDArray[np.float32]) -> str:
        """Through the first convolution to the pixels, (N, C, S, S) -> (N, 3, S, S)."""
        turned = np.ascontiguousarray(weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])
        kernel = self.graph.constant("d_pixels.kernel", turned)
        return self.graph.op("Conv", [gradient, kernel], "d_pixels", kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def upsampled(self, pooled: str, relu: Layer, border: str) -> str:
        """(N, C, s // 2, s // 2) -> (N, C, s, s); the row and column that an odd ``s`` leaves over are ``border``."""
        even = relu.side // 2 * 2
        name = f"{pooled}.twice"
        self._declare(name, relu.channels, even)
        self.graph.op(
            "Resize",
            [pooled, "", "twice"],
            name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        if even == relu.side:
            return name
        self._declare(f"{name}.padded", relu.channels, relu.side)
        return self.graph.op("Pad", [name, "one_more", border], f"{name}.padded")

    def _factors(self, relu: Layer) -> str:
        """(1, 1, s, s): 1 for the first pixel of each window, 1 - k units in the last place for the others."""
        odd = np.arange(relu.side) % 2
        factors = 1 - _LAST_PLACE * (2 * odd[:, None] + odd)
        return self.graph.constant(f"{relu.output}.factors", factors[None, None])

    def _declare(self, name: str, channels: int, side: int) -> None:
        # ONNX Runtime loses the symbolic N behind Resize, Pad and Expand, and fuses an addition only
        # between shapes that it can prove equal.
        shape: list[str | int | None] = ["N", channels, side, side]
        self.shapes.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


class BlockedSteps(PlainSteps):
    """The guided steps as additions and depthwise convolutions."""

    def __init__(self, graph: GraphBuilder, side: int) -> None:
        super().__init__(graph, side)
        graph.constant("lowest", _LOWEST)
        self._known: set[str] = set()

    def without_ties(self, relu: Layer) -> str:
        # A product of equal shapes stays in the blocked layout, one that broadcasts does not:
        # a 1 x 1 convolution spreads the factors over the channels.
        name, side = _apart(relu), relu.side
        batch = self.graph.op("Shape", ["crops"], f"{name}.n", start=0, end=1)
        chw = self.graph.constant(f"{name}.chw", [1, side, side], np.int64)
        shape = self.graph.op("Concat", [batch, chw], f"{name}.nchw", axis=0)
        self._declare(f"{name}.factors", 1, side)
        factors = self.graph.op("Expand", [self._factors(relu), shape], f"{name}.factors")
        ones = self.graph.constant(f"{name}.ones", np.ones((relu.channels, 1, 1, 1)))
        spread = self.graph.op("Conv", [factors, ones], f"{name}.spread", kernel_shape=[1, 1])
        return self.graph.op("Mul", [relu.output, spread], name)

    def through_relu(self, gradient: str, activation: str, layer: Layer, name: str) -> str:
        steep = self._affine(activation, layer.channels, _STEEP, -_SHUT, f"{name}.steep")
        gate = self.graph.op("Clip", [steep, "lowest", "zero"], f"{name}.gate")
        gated = self.graph.op("Add", [gradient, gate], f"{name}.gated")
        return self.graph.op("Relu", [gated], f"{name}.guided")

    def through_pool(self, gradient: str, relu: Layer, pool: Layer) -> str:
        name = f"d_{pool.output}"
        gradient = self.through_relu(gradient, pool.output, pool, name)
        negative = self._affine(pool.output, pool.channels, -1.0, 0.0, f"{name}.negative")
        below = self.graph.op("Add", [_apart(relu), self.upsampled(negative, relu, "far_below")], f"{name}.below")
        steep = self._affine(below, relu.channels, _STEEP, 0.0, f"{name}.place")
        placed = self.graph.op("Add", [steep, self.upsampled(gradient, relu, "zero")], f"{name}.placed")
        return self.graph.op("Relu", [placed], f"{name}.unpooled")

    def to_pixels(self, gradient: str, weight: npt.NDArray[np.float32]) -> str:
        # The blocked kernels pad 3 output channels to 16. A 1 x 1 convolution to 27 taps (row, column,
        # colour) and their shifted sum take half the time.
        side, channels = self.crop_side, weight.shape[0]
        taps = weight.transpose(2, 3, 1, 0)[::-1, ::-1].reshape(27, channels, 1, 1)
        kernel = self.graph.constant("d_pixels.kernel", np.ascontiguousarray(taps))
        mapped = self.graph.op("Conv", [gradient, kernel], "d_taps", kernel_shape=[1, 1], pads=[1, 1, 1, 1])
        axes = self.graph.constant("tap_axes", [1, 2, 3], np.int64)
        shifted = []
        for tap in range(9):
            row, column = divmod(tap, 3)
            start = self.graph.constant(f"tap{tap}.start", [3 * tap, row, column], np.int64)
            end = self.graph.constant(f"tap{tap}.end", [3 * tap + 3, row + side, column + side], np.int64)
            shifted.append(self.graph.op("Slice", [mapped, start, end, axes], f"tap{tap}"))
        return self.graph.op("Sum", shifted, "d_pixels")

    def _affine(self, x: str, channels: int, factor: float, offset: float, name: str) -> str:
        """``x * factor + offset`` as a depthwise convolution, the form that stays in the blocked layout."""
        kernel, bias = f"factor.{channels}.{factor}", f"offset.{channels}.{offset}"
        for constant, values in ((kernel, np.full((channels, 1, 1, 1), factor)), (bias, np.full(channels, offset))):
            if constant not in self._known:
                self._known.add(constant)
                self.graph.constant(constant, values)
        return self.graph.op("Conv", [x, kernel, bias], name, kernel_shape=[1, 1], group=channels)


def _apart(relu: Layer) -> str:
    return f"{relu.output}.apart"

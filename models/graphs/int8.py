"""The classifier and the defended pass in 8-bit integers, as one ONNX graph for ONNX Runtime and OpenVINO.

Convolutions take uint8 activations and weights of 8 bits, or 7, with a scale per output channel; the first of them, the
head and the last step to the pixels stay in float32. The guided backward pass suits integers well: what passes a
guided ReLU is never negative, so quantising to uint8 *is* the ReLU, and gates and pooling compare bytes. Every image's
gradient is scaled to a largest value of 1 before the first convolution (saliency is scaled per image anyway), so one
set of ranges fits all images.

In bytes equal maxima are common within a pooling window. All of them would get the gradient, and saliency
would be too high wherever activations are low (mask IoU with float32 0.80 on photographs); the first of them
is looked up instead (0.87), as autograd takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from models.arrays import Bytes, Floats
from models.errors import BadInput
from models.graphs.builder import GraphBuilder, add_normalisation, finish, quantise, read_weights
from models.graphs.defended import (
    chain_of,
    defended_graph,
    hidden_gradient,
    kept_values,
    rows_input,
    write_saliency,
)
from models.graphs.guided_steps import BlockedSteps, Layer
from models.graphs.narrow_sums import narrow
from models.network.architecture import InputSpec

#: Largest value of a tensor by its name: a ReLU's output, or ``d_`` and the output of the ReLU or
#: pooling through which a gradient has passed.
Ranges = Mapping[str, float]

_QUANTILE = 99.99
_HEADROOM = 1.25
_SAMPLED = 7  # every seventh value is enough for a quantile of a map
_TINY = 1e-20


def measure_ranges(
    classifier: onnx.ModelProto, spec: InputSpec, crops: Bytes, rows: Floats | None = None
) -> dict[str, float]:
    """The ranges of every tensor that is quantised, from face crops (N, S, S, 3); some 30 are enough.

    ``rows`` (K, D): of a gallery that the network's embeddings are compared with; None: its outputs are the scores.

    An activation's range is its largest value and a quarter more, for other faces: what is cut off costs far more
    than coarser steps (the error of the logits of 64 faces unseen, root mean square: 0.20 against 0.44 with the
    geometric mean of largest value and 99.99 % quantile). A gradient's is the quantile, which is sharper.
    """
    side = crops.shape[1]
    graph = defended_graph(classifier, spec, style="plain", cosines=rows is not None)
    layers = chain_of(classifier)
    forward = [layer.output for layer in layers if layer.kind == "Relu"]
    trunk = layers[: len(layers) - 4]
    backward = {_gradient(layer): _passed(layer) for layer in _gated(trunk)}
    names = ["d_pooled", *forward, *backward.values()]
    graph.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kept = np.array([kept_values(side, 99.0)], np.int64)
    ranges: dict[str, float] = {}
    for crop in crops:
        inputs = {"crops": crop[None], "kept": kept, **({} if rows is None else {"gallery": rows})}
        values = dict(zip(names, session.run(names, inputs), strict=True))
        unit = max(float(values["d_pooled"].max()), _TINY)
        found = {name: _HEADROOM * float(values[name].max()) for name in forward}
        for key, name in backward.items():
            sharp = float(np.percentile(values[name].ravel()[::_SAMPLED], _QUANTILE)) / unit
            found[key] = max(sharp, 1e-3 * float(values[name].max()) / unit)
        ranges = {key: max(value, ranges.get(key, _TINY)) for key, value in found.items()}
    return ranges


def int8_graph(
    classifier: onnx.ModelProto,
    spec: InputSpec,
    ranges: Ranges,
    *,
    defended: bool = True,
    cosines: bool = False,
    levels: int | None = None,
) -> onnx.ModelProto:
    """The classifier (``defended=False``) or the defended pass, with inputs and outputs as in ``defended_graph``.

    ``levels``: largest weight, ``NARROW_SUMS`` or ``WIDE_SUMS``; None: as ``safe_levels`` says of each output channel.

    Raises:
        BadInput: the ranges are those of another network.
    """
    weights = read_weights(classifier)
    layers = chain_of(classifier)
    missing = [f.output for f in layers[:-3] if f.kind == "Relu" and f.output not in ranges]
    if defended:
        missing += [_gradient(layer) for layer in _gated(layers[:-4]) if _gradient(layer) not in ranges]
    if missing:
        raise BadInput(f"the int8 ranges lack {missing[0]}; measure them again with python -m tools.precision")
    net = _Int8(layers, weights, ranges, levels)
    net.forward(spec)
    side, classes = net.side, weights[layers[-1].weight].shape[0]
    inputs = [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", side, side, 3])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])]
    if defended:
        write_saliency(net.graph, net.backward(cosines=cosines), side, spec)
        inputs.append(helper.make_tensor_value_info("kept", TensorProto.INT64, [1]))
        inputs += [rows_input(classes)] if cosines else []
        outputs.append(helper.make_tensor_value_info("saliency", TensorProto.FLOAT, ["N", side, side]))
    return finish(net.graph, inputs, outputs, "int8")


def _gated(trunk: Sequence[Layer]) -> list[Layer]:
    """The layers behind which the backward pass gates and quantises: poolings, and ReLUs before no pooling."""
    following = [layer.kind for layer in trunk[1:]] + [""]
    return [
        layer
        for layer, after in zip(trunk, following, strict=True)
        if layer.kind == "MaxPool" or (layer.kind == "Relu" and after != "MaxPool")
    ]


def _gradient(layer: Layer) -> str:
    return f"d_{layer.output}"


def _passed(layer: Layer) -> str:
    """The name in ``defended_graph`` of the gradient that has passed a pooling or a ReLU."""
    return f"d_{layer.output}.unpooled" if layer.kind == "MaxPool" else f"d_{layer.output}.guided"


class _Int8:
    """Writes the graph; tensors named ``....8`` are bytes, the others float32."""

    def __init__(
        self,
        layers: Sequence[Layer],
        weights: Mapping[str, npt.NDArray[np.float32]],
        ranges: Ranges,
        levels: int | None,
    ) -> None:
        self.graph = GraphBuilder()
        self.levels = levels
        self.layers = layers
        self.weights = weights
        self.ranges = ranges
        self.side = layers[0].side
        self.steps = BlockedSteps(self.graph, self.side)
        self.graph.constant("nothing", 0, np.uint8)
        self.graph.constant("everything", 255, np.uint8)
        self.bytes: dict[str, str] = {}  # the byte tensor of each activation

    def forward(self, spec: InputSpec) -> None:
        x = add_normalisation(self.graph, spec)
        for layer in self.layers:
            name = layer.output
            if layer.kind == "Conv":
                values = self.weights[layer.weight]
                first = layer is self.layers[0]  # where rounding costs most, and a hundredth of the work
                kernel = self.graph.constant(layer.weight, values) if first else self._weight(layer.weight, values)
                inputs = [x, kernel, self._bias(layer)]
                x = self.graph.op("Conv", inputs, name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            elif layer.kind == "Relu":
                x = self.graph.op("Relu", [x], name)
                if layer is not self.layers[-2]:
                    self.bytes[name] = self._quantised(x, self.ranges[name] / 255)
                    x = self._floats(self.bytes[name], name)
            elif layer.kind == "MaxPool":
                pooled = self.bytes[layer.input]
                self.bytes[name] = self.graph.op("MaxPool", [pooled], f"{name}.8", kernel_shape=[2, 2], strides=[2, 2])
                x = self.graph.op("DequantizeLinear", [self.bytes[name], *_scale_of(layer.input)], f"{name}.float")
            elif layer.kind == "Flatten":
                x = self.graph.op("Flatten", [x], name, axis=1)
            else:
                weight = self.graph.constant(layer.weight, self.weights[layer.weight])
                x = self.graph.op("Gemm", [x, weight, self._bias(layer)], name, transB=1)

    def backward(self, *, cosines: bool = False) -> str:
        """Guided gradient of the top score with respect to the pixels (N, 3, S, S), up to a factor per image."""
        trunk = list(self.layers[:-4])
        x = self._head_backward(trunk[-1], cosines=cosines)
        index = len(trunk) - 1
        while index > 0:
            layer, before = trunk[index], trunk[index - 1]
            if layer.kind == "Conv":
                turned = self.weights[layer.weight].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
                kernel = self._weight(f"{layer.weight}.turned", np.ascontiguousarray(turned))
                name = f"through_{layer.output}"
                x = self.graph.op("Conv", [x, kernel], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
                index -= 1
                continue
            name = _gradient(layer)
            quantised = self._quantised(x, self.ranges[name] / 255, name=name)  # negative values become 0
            gate = self.graph.op("Cast", [self.bytes[layer.output]], f"{name}.gate", to=TensorProto.BOOL)
            quantised = self.graph.op("Where", [gate, quantised, "nothing"], f"{name}.gated.8")
            if layer.kind == "MaxPool":
                quantised = self._unpooled(quantised, before, layer)
                index -= 1  # the ReLU before the pooling lets through what the pooling took
            x = self._floats(quantised, name)
            index -= 1
        return self.steps.to_pixels(x, self.weights[trunk[0].weight])

    def _head_backward(self, pool: Layer, *, cosines: bool) -> str:
        graph, (first, relu) = self.graph, self.layers[-3:-1]
        x = graph.op("Relu", [hidden_gradient(graph, self.layers, cosines=cosines)], "d_hidden.relu")
        active = graph.op("Greater", [relu.output, "zero"], "hidden.active")
        x = graph.op("MatMul", [graph.op("Where", [active, x, "zero"], "d_hidden.guided"), first.weight], "d_flat")
        axis = graph.constant("feature_axis", [1], np.int64)
        largest = graph.op(
            "Max", [graph.op("ReduceMax", [x, axis], "d_flat.max"), graph.constant("tiny", _TINY)], "unit"
        )
        shape = graph.constant("pooled_shape", [0, pool.channels, pool.side, pool.side], np.int64)
        return graph.op("Reshape", [graph.op("Div", [x, largest], "d_flat.scaled"), shape], "d_pooled")

    def _unpooled(self, gradient: str, relu: Layer, pool: Layer) -> str:
        """Bytes (N, C, s // 2, s // 2) -> (N, C, s, s), to the first of the largest values of each window."""
        graph, name = self.graph, _gradient(pool)
        maxima = self.steps.upsampled(self.bytes[pool.output], relu, "everything")
        largest = graph.op("Equal", [self.bytes[relu.output], maxima], f"{name}.largest")
        odd = np.arange(relu.side) % 2
        ranks = graph.constant(f"{name}.ranks", (4 - 2 * odd[:, None] - odd)[None, None], np.uint8)
        ranked = graph.op("Where", [largest, ranks, "nothing"], f"{name}.ranked")
        best = graph.op("MaxPool", [ranked], f"{name}.best", kernel_shape=[2, 2], strides=[2, 2])
        first = graph.op("Equal", [ranked, self.steps.upsampled(best, relu, "everything")], f"{name}.first")
        spread = self.steps.upsampled(gradient, relu, "nothing")
        return graph.op("Where", [first, spread, "nothing"], f"{name}.unpooled.8")

    def _quantised(self, x: str, scale: float, zero: int = 0, *, name: str = "") -> str:
        name = name or x
        constants = [
            self.graph.constant(f"{name}.scale", np.float32(scale)),
            self.graph.constant(f"{name}.zero", zero, np.uint8),
        ]
        return self.graph.op("QuantizeLinear", [x, *constants], f"{name}.8")

    def _floats(self, quantised: str, name: str) -> str:
        return self.graph.op("DequantizeLinear", [quantised, *_scale_of(name)], f"{name}.float")

    def _weight(self, name: str, values: npt.NDArray[np.float32]) -> str:
        integers, scale = narrow(values) if self.levels is None else quantise(values, levels=self.levels)
        constants = [
            self.graph.constant(f"{name}.int8", integers, np.int8),
            self.graph.constant(f"{name}.scale", scale.ravel()),
            self.graph.constant(f"{name}.zero", np.zeros(scale.size), np.int8),
        ]
        return self.graph.op("DequantizeLinear", constants, name, axis=0)

    def _bias(self, layer: Layer) -> str:
        name = str(layer.node.input[2])
        return self.graph.constant(name, self.weights[name])


def _scale_of(name: str) -> list[str]:
    return [f"{name}.scale", f"{name}.zero"]

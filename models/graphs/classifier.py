"""The classifier's graph without torch: what it is made of, and whether a file holds exactly that.

A bundle describes one network, VGG16 with a head of two layers, so there is one graph that fits a description.
Engines read the graph and torch reads the description: where the two differ, each would give other names.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.errors import BadInput
from models.graphs.builder import OPSET, GraphBuilder, add_normalisation, check_inside
from models.network import architecture
from models.network.architecture import CONVOLUTION_NAMES, InputSpec, trunk_width

HEAD_NAMES = ("head1", "head2")


def weight_shapes(*, classes: int, input_size: int, hidden: int, slim: int = 1) -> dict[str, tuple[int, ...]]:
    """The shape of each layer's weight by the layer's name, from input to output; a bias has the first side's."""
    widths = [width for count, width in architecture.blocks(slim) for _ in range(count)]
    before = [3, *widths[:-1]]
    shapes: dict[str, tuple[int, ...]] = {
        name: (width, channels, 3, 3) for name, width, channels in zip(CONVOLUTION_NAMES, widths, before, strict=True)
    }
    return shapes | dict(zip(HEAD_NAMES, ((hidden, trunk_width(input_size, slim)), (classes, hidden)), strict=True))


def add_layers(graph: GraphBuilder, spec: InputSpec) -> None:
    """From ``crops`` uint8 (N, S, S, 3) RGB to ``logits`` (N, D): the ops; weights and biases are to be added.

    ``logits`` is the output's name whatever it is, everybody's logit or an embedding.
    """
    x, index, names = add_normalisation(graph, spec), 0, iter(CONVOLUTION_NAMES)
    for count, _ in architecture.BLOCKS:
        for _ in range(count):
            name = next(names)
            inputs = [x, graph.expanded(f"{name}.weight"), f"{name}.bias"]
            x = graph.op("Conv", inputs, f"{name}.out", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            x = graph.op("Relu", [x], f"relu{index + 1}")
            index += 2
        x = graph.op("MaxPool", [x], f"pool{index}", kernel_shape=[2, 2], strides=[2, 2])
        index += 1
    x = graph.op("Flatten", [x], "flat", axis=1)
    first, last = HEAD_NAMES
    x = graph.op("Gemm", [x, graph.expanded(f"{first}.weight"), f"{first}.bias"], f"{first}.out", transB=1)
    x = graph.op("Relu", [x], f"{first}.relu")
    graph.op("Gemm", [x, graph.expanded(f"{last}.weight"), f"{last}.bias"], "logits", transB=1)


def ends_of(*, classes: int, input_size: int) -> tuple[onnx.ValueInfoProto, onnx.ValueInfoProto]:
    """The graph's input ``crops`` and its output ``logits``."""
    return (
        helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", input_size, input_size, 3]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes]),
    )


def check_classifier(
    proto: onnx.ModelProto, *, classes: int, input_size: int, hidden: int, spec: InputSpec, slim: int = 1
) -> None:
    """Whether the model is what ``export.classifier_graph`` writes of such a network, whatever its weights.

    Raises:
        BadInput: it is not; names the first thing that differs.
    """
    wanted = GraphBuilder()
    add_layers(wanted, spec)
    graph = proto.graph
    if [(one.domain, one.version) for one in proto.opset_import] != [("", OPSET)] or proto.functions:
        raise BadInput(f"it is no graph of plain operators of opset {OPSET}")
    begin, end = ends_of(classes=classes, input_size=input_size)
    if list(graph.input) != [begin]:
        raise BadInput(f"it does not take crops of {input_size} x {input_size}")
    if list(graph.output) != [end]:
        raise BadInput(f"it does not give {classes} numbers for each crop")
    if list(graph.node) != wanted.nodes:
        raise BadInput("its layers are not those of a VGG16 with this input")
    stored = {tensor.name: tensor for tensor in graph.initializer}
    expected = _tensors(weight_shapes(classes=classes, input_size=input_size, hidden=hidden, slim=slim))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in wanted.initialisers}
    if len(stored) != len(graph.initializer) or set(stored) != {*expected, *constants} or graph.sparse_initializer:
        raise BadInput("its tensors are not those of such a network")
    for name, tensor in stored.items():
        check_inside(tensor)
        if name not in constants:
            _check_weights(name, tensor, *expected[name])
        elif not np.array_equal(numpy_helper.to_array(tensor), constants[name]):
            raise BadInput(f"{name} is another")


def _check_weights(name: str, tensor: onnx.TensorProto, kind: int, shape: tuple[int, ...]) -> None:
    """Raises ``BadInput`` for another kind or shape, or what is no number."""
    if tensor.data_type != kind or tuple(tensor.dims) != shape:
        raise BadInput(f"{name} has the shape {tuple(tensor.dims)}, wanted {shape}")
    if kind == TensorProto.INT8:  # large: its values need no look
        if len(tensor.raw_data) != math.prod(shape):
            raise BadInput(f"{name} is not whole")
    elif not np.isfinite(numpy_helper.to_array(tensor)).all():
        raise BadInput(f"{name} holds what is no number")


def _tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Kind and shape of every tensor that holds weights."""
    found: dict[str, tuple[int, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        found[f"{name}.weight.int8"] = (TensorProto.INT8, shape)
        found[f"{name}.weight.scale"] = (TensorProto.FLOAT, (shape[0], *(1 for _ in shape[1:])))
        found[f"{name}.bias"] = (TensorProto.FLOAT, shape[:1])
    return found

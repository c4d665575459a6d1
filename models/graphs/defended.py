"""One ONNX graph for the defended pass: uint8 crops in, logits and finished saliency out.

The graph is the bundle's own classifier with its guided backward pass written out behind it as ordinary
ops, from the top score down to the pixels, so that one session run replaces a torch forward and an
autograd backward. It equals ``models.network.guided_backprop`` and ``models.saliency_mask.scale_saliency``; the
single steps and what makes them fast are in ``models.graphs.guided_steps``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from models.crop.zones import Zone
from models.errors import BadInput
from models.graphs.builder import GraphBuilder, finish, read_weights
from models.graphs.guided_steps import BlockedSteps, Layer, PlainSteps
from models.graphs.views import add_views, inputs_of, join_views
from models.network.architecture import InputSpec
from models.saliency_mask import rank_of_percentile

Style = Literal["blocked", "plain"]
#: An embedding counts as at least this long, as in ``torch.nn.functional.normalize``.
SHORTEST = 1e-12


def kept_values(side: int, percentile: float) -> int:
    """How many pixels of a crop lie at or above the percentile: the graph's input ``kept``."""
    return side * side - rank_of_percentile(side * side, percentile)


def defended_graph(
    classifier: onnx.ModelProto,
    spec: InputSpec,
    *,
    style: Style = "blocked",
    zones: Sequence[Zone] = (),
    cosines: bool = False,
) -> onnx.ModelProto:
    """The classifier's graph extended by its guided backward pass and by views with a zone hidden.

    Args:
        classifier: as ``models.graphs.export.classifier_graph`` writes it.
        spec: the trunk's input.
        style: "blocked" for ONNX Runtime's CPU kernels, "plain" for everything else; equal results.
        zones: hidden one at a time, see ``models.graphs.views.add_views``.
        cosines: the saliency is that of the best cosine with the rows of the input ``gallery`` (K, D), not that of
            the largest of ``logits``.

    Returns:
        A model with inputs ``crops`` (N, S, S, 3) uint8 and ``kept`` (1,) int64, see ``kept_values``, and
        outputs ``logits`` (N, D) and ``saliency`` (N, S, S) float32 in [0, 1]; with zones also their inputs
        and the output ``views``, with cosines the input ``gallery``.

    Raises:
        BadInput: the classifier is no plain chain of Conv, Relu, MaxPool, Flatten and Gemm.
    """
    side = _side_of(classifier)
    weights = read_weights(classifier)
    layers = chain_of(classifier, weights)
    graph = GraphBuilder()
    backward = (BlockedSteps if style == "blocked" else PlainSteps)(graph, side)
    _forward(backward, classifier, layers)
    gradient = _head_backward(graph, layers, cosines=cosines)
    gradient = _trunk_backward(backward, layers, weights, gradient)
    write_saliency(graph, gradient, side, spec)
    if zones:
        add_views(graph, layers, zones, spec, side)
    classes = layers[-1].channels
    proto = finish(
        graph,
        [
            helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", side, side, 3]),
            helper.make_tensor_value_info("kept", TensorProto.INT64, [1]),
            *([rows_input(classes)] if cosines else []),
            *inputs_of(zones),
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("saliency", TensorProto.FLOAT, ["N", side, side]),
            *([helper.make_tensor_value_info("views", TensorProto.FLOAT, ["M", classes])] if zones else []),
        ],
        "defended",
    )
    proto.graph.value_info.extend(backward.shapes)
    return proto


def graph_with_views(classifier: onnx.ModelProto, spec: InputSpec, zones: Sequence[Zone]) -> onnx.ModelProto:
    """The classifier's graph with views that have a zone hidden (at least one zone), see ``view_graph.join_views``."""
    graph, layers = GraphBuilder(), chain_of(classifier)
    graph.nodes.extend(classifier.graph.node)
    graph.initialisers.extend(classifier.graph.initializer)
    join_views(graph, layers, zones, spec, _side_of(classifier))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N + M", layers[-1].channels])
    return finish(graph, [*classifier.graph.input, *inputs_of(zones)], [logits], "views")


def chain_of(classifier: onnx.ModelProto, weights: Mapping[str, npt.NDArray[np.float32]] | None = None) -> list[Layer]:
    """The ops from the first convolution to the logits.

    Raises:
        BadInput: they are no plain chain of Conv, Relu, MaxPool, Flatten and Gemm.
    """
    weights = read_weights(classifier) if weights is None else weights
    side = _side_of(classifier)
    producers = {output: node for node in classifier.graph.node for output in node.output}
    nodes: list[onnx.NodeProto] = []
    name = "logits"
    while name in producers and producers[name].op_type in ("Conv", "Relu", "MaxPool", "Flatten", "Gemm"):
        nodes.append(producers[name])
        name = producers[name].input[0]
    layers: list[Layer] = []
    channels = 3
    for node in reversed(nodes):
        if node.op_type in ("Conv", "Gemm"):
            channels = weights[node.input[1]].shape[0]
        side = side // 2 if node.op_type == "MaxPool" else side
        layers.append(Layer(node, channels, side))
    kinds = [layer.kind for layer in layers]
    after_pool = all(kinds[max(i - 2, 0) : i] == ["Conv", "Relu"] for i, kind in enumerate(kinds) if kind == "MaxPool")
    if kinds[:1] != ["Conv"] or kinds[-4:] != ["Flatten", "Gemm", "Relu", "Gemm"] or not after_pool:
        raise BadInput("the classifier's graph is not the chain of layers that the defended pass is derived from")
    return layers


def _side_of(classifier: onnx.ModelProto) -> int:
    """Of the crops that it takes, in pixels."""
    return int(classifier.graph.input[0].type.tensor_type.shape.dim[1].dim_value)


def _forward(steps: PlainSteps, classifier: onnx.ModelProto, layers: list[Layer]) -> None:
    """The classifier's nodes, with ties broken between each pooling and the ReLU before it."""
    graph = steps.graph
    pooled = {layer.input: (layer, before) for before, layer in pairwise(layers) if layer.kind == "MaxPool"}
    for node in classifier.graph.node:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        if node.op_type == "MaxPool":
            copied.input[0] = steps.without_ties(pooled[node.input[0]][1])
        graph.nodes.append(copied)
    graph.initialisers.extend(classifier.graph.initializer)


def _head_backward(graph: GraphBuilder, layers: list[Layer], *, cosines: bool) -> str:
    """Guided gradient of the top score with respect to the last pooling's output (N, C, s, s)."""
    pool, first, relu = layers[-5], layers[-3], layers[-2]
    gradient = graph.op("Relu", [hidden_gradient(graph, layers, cosines=cosines)], "d_hidden.relu")
    active = graph.op("Greater", [relu.output, "zero"], "hidden.active")
    gradient = graph.op("Where", [active, gradient, "zero"], "d_hidden.guided")
    gradient = graph.op("MatMul", [gradient, first.weight], "d_flat")
    shape = graph.constant("pooled_shape", [0, pool.channels, pool.side, pool.side], np.int64)
    return graph.op("Reshape", [gradient, shape], "d_pooled")


def hidden_gradient(graph: GraphBuilder, layers: Sequence[Layer], *, cosines: bool) -> str:
    """Gradient of the top score with respect to the hidden layer (N, H): of the largest logit, or of the best cosine.

    That of a cosine c with a row r at the embedding e is (r - c e / |e|) / |e|.
    """
    last = layers[-1]
    if not cosines:
        top = graph.op("ArgMax", ["logits"], "top", axis=1, keepdims=0)
        return graph.op("Gather", [last.weight, top], "d_hidden", axis=0)
    axis = graph.constant("score_axis", [1], np.int64)
    length = graph.op("ReduceL2", ["logits", axis], "length.exact", keepdims=1)
    length = graph.op("Max", [length, graph.constant("shortest", SHORTEST)], "length")
    unit = graph.op("Div", ["logits", length], "embedding")
    cosine = graph.op("Gemm", [unit, "gallery"], "cosines", transB=1)
    top = graph.op("ArgMax", [cosine], "top", axis=1, keepdims=0)
    best = graph.op("ReduceMax", [cosine, axis], "top.cosine", keepdims=1)
    row = graph.op("Gather", ["gallery", top], "top.row", axis=0)
    across = graph.op("Sub", [row, graph.op("Mul", [unit, best], "along")], "across")
    return graph.op("MatMul", [graph.op("Div", [across, length], "d_outputs"), last.weight], "d_hidden")


def rows_input(width: int) -> onnx.ValueInfoProto:
    """The gallery's rows (K, D) of unit length, which ``cosines`` reads."""
    return helper.make_tensor_value_info("gallery", TensorProto.FLOAT, ["K", width])


def _trunk_backward(
    steps: PlainSteps, layers: list[Layer], weights: Mapping[str, npt.NDArray[np.float32]], gradient: str
) -> str:
    """From the last pooling's output (N, C, s, s) to the pixels (N, 3, S, S)."""
    trunk = layers[: [layer.kind for layer in layers].index("Flatten")]
    for index in range(len(trunk) - 1, 0, -1):
        layer, before = trunk[index], trunk[index - 1]
        if layer.kind == "MaxPool":
            gradient = steps.through_pool(gradient, before, layer)
        elif layer.kind == "Relu" and (index + 1 == len(trunk) or trunk[index + 1].kind != "MaxPool"):
            gradient = steps.through_relu(gradient, layer.output, layer, f"d_{layer.output}")
        elif layer.kind == "Conv":
            gradient = _through_convolution(steps.graph, gradient, layer)
    return steps.to_pixels(gradient, weights[trunk[0].weight])


def _through_convolution(graph: GraphBuilder, gradient: str, layer: Layer) -> str:
    """The same weights, transposed and turned by 180 degrees: folded into a constant when a session loads them."""
    turned = graph.op("Transpose", [layer.weight], f"{layer.weight}.transposed", perm=[1, 0, 2, 3])
    if "turn.start" not in {tensor.name for tensor in graph.initialisers}:
        graph.constant("turn.start", [-1, -1], np.int64)
        graph.constant("turn.end", [-1000, -1000], np.int64)
        graph.constant("turn.axes", [2, 3], np.int64)
    backward = ["turn.start", "turn.end", "turn.axes", "turn.start"]
    turned = graph.op("Slice", [turned, *backward], f"{layer.weight}.turned")
    return graph.op("Conv", [gradient, turned], f"d_{layer.output}", kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def write_saliency(graph: GraphBuilder, gradient: str, side: int, spec: InputSpec) -> None:
    """(N, 3, S, S) -> ``saliency``, as ``models.saliency_mask.scale_saliency`` does it."""
    if spec.scale != (1.0, 1.0, 1.0):
        scale = graph.constant("pixel_scale", np.reshape(spec.scale, (1, 3, 1, 1)))
        gradient = graph.op("Mul", [gradient, scale], "d_scaled")
    magnitude = graph.op("Abs", [gradient], "magnitude")
    total = graph.op("ReduceSum", [magnitude, graph.constant("colour_axis", [1], np.int64)], "total", keepdims=0)
    flat = graph.op("Flatten", [total], "total.flat", axis=1)
    axis = graph.constant("pixel_axis", [1], np.int64)
    low = graph.op("ReduceMin", [flat, axis], "low", keepdims=1)
    graph.nodes.append(helper.make_node("TopK", [flat, "kept"], ["kept.values", "kept.places"], axis=1, sorted=0))
    high = graph.op("ReduceMin", ["kept.values", axis], "high", keepdims=1)
    span = graph.op("Sub", [high, low], "span")
    spread = graph.op("Greater", [span, "zero"], "spread")  # an image of one value gives zeros
    safe = graph.op("Where", [spread, span, graph.constant("one", 1.0)], "span.safe")
    above = graph.op("Div", [graph.op("Sub", [flat, low], "above_low"), safe], "above")
    clipped = graph.op("Clip", [above, "zero", "one"], "clipped")
    scaled = graph.op("Where", [spread, clipped, "zero"], "scaled_saliency")
    graph.op("Reshape", [scaled, graph.constant("image_shape", [0, side, side], np.int64)], "saliency")

"""The classifier as a processor computes it in bfloat16, for machines that cannot: to measure what that costs.

Such processors (AVX512-BF16, AMX, ARM's) multiply numbers of 8 significant bits and add the products in float32; what
a layer gives is rounded again. So weights, pixels and each layer's output are rounded here, and all else is float32.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.graphs.builder import read_weights
from models.graphs.defended import chain_of


def bfloat16_graph(classifier: onnx.ModelProto) -> onnx.ModelProto:
    """The classifier with everything rounded to bfloat16 that a processor rounds; inputs and outputs are the same."""
    weights, layers = read_weights(classifier), chain_of(classifier)
    graph = onnx.ModelProto()
    graph.CopyFrom(classifier)
    nodes: list[onnx.NodeProto] = []
    weighted = {layer.weight for layer in layers if layer.kind in ("Conv", "Gemm")}
    rounded = {layers[0].input, layers[-1].output} | {layer.output for layer in layers if layer.kind == "Relu"}
    for node in classifier.graph.node:
        if node.output[0].removesuffix(".cast") in weighted:  # the expansion of a stored weight
            continue
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        name = node.output[0]
        if name in rounded:
            copied.output[0] = f"{name}.exact"
            nodes += [
                copied,
                helper.make_node("Cast", [f"{name}.exact"], [f"{name}.half"], to=TensorProto.BFLOAT16),
                helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT),
            ]
        else:
            nodes.append(copied)
    del graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.node.extend(nodes)
    kept = [tensor for tensor in classifier.graph.initializer if tensor.name.rpartition(".")[0] not in weighted]
    graph.graph.initializer.extend(kept)
    for name in sorted(weighted):
        graph.graph.initializer.append(numpy_helper.from_array(rounded_to_bfloat16(weights[name]), name))
    onnx.checker.check_model(graph)
    return graph


def rounded_to_bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The nearest numbers of 8 significant bits, ties to even; as float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.int64)
    nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return nearest.astype(np.uint32).view(np.float32)

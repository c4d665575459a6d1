"""ONNX graphs put together from ``onnx.helper``, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.errors import BadInput
from models.network.architecture import InputSpec

OPSET = 18
IR_VERSION = 10


class GraphBuilder:
    """Collects nodes and initialisers; weights go in as int8 with one scale per output channel."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def constant(self, name: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name: str, values: npt.NDArray[np.float32]) -> None:
        """What ``expanded`` reads."""
        quantised, scale = quantise(values)
        self.constant(f"{name}.int8", quantised, np.int8)
        self.constant(f"{name}.scale", scale)

    def expanded(self, name: str) -> str:
        """The stored weight as float32."""
        cast = self.op("Cast", [f"{name}.int8"], f"{name}.cast", to=TensorProto.FLOAT)
        return self.op("Mul", [cast, f"{name}.scale"], name)


def quantise(
    weight: npt.NDArray[np.float32], *, levels: int | npt.NDArray[np.float32] = 127
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Symmetric int8 per output channel (axis 0): ``weight`` is about ``int8 * scale``.

    ``levels``: the largest, of all channels or (O, 1, ...) of each.
    """
    axes = tuple(range(1, weight.ndim))
    largest = np.abs(weight).max(axis=axes, keepdims=True)
    scale = np.where(largest > 0, largest / levels, 1).astype(np.float32)
    return np.rint(weight / scale).clip(-levels, levels).astype(np.int8), scale


def add_normalisation(graph: GraphBuilder, spec: InputSpec) -> str:
    """``crops`` uint8 NHWC RGB -> float NCHW in the trunk's channel order, minus its mean, times its scale."""
    x = graph.op("Cast", ["crops"], "cast", to=TensorProto.FLOAT)
    x = graph.op("Transpose", [x], "nchw", perm=[0, 3, 1, 2])
    if spec.channel_order == "BGR":
        x = graph.op("Gather", [x, graph.constant("channel_order", [2, 1, 0], np.int64)], "bgr", axis=1)
    x = graph.op("Sub", [x, graph.constant("mean", np.reshape(spec.mean, (1, 3, 1, 1)))], "centred")
    if spec.scale != (1.0, 1.0, 1.0):
        x = graph.op("Mul", [x, graph.constant("input_scale", np.reshape(spec.scale, (1, 3, 1, 1)))], "scaled")
    return x


def finish(
    graph: GraphBuilder, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto], name: str
) -> onnx.ModelProto:
    """A checked model of the collected nodes."""
    proto = helper.make_model(
        helper.make_graph(graph.nodes, name, inputs, outputs, graph.initialisers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="spectaclear",
    )
    onnx.checker.check_model(proto)
    return proto


def read_weights(proto: onnx.ModelProto) -> dict[str, npt.NDArray[np.float32]]:
    """The initialisers expanded to float32, by ``<layer>.weight`` and ``<layer>.bias``.

    Raises:
        BadInput: a tensor points to data outside the file, or lacks its scale.
    """
    stored: dict[str, npt.NDArray[np.generic]] = {}
    for tensor in proto.graph.initializer:
        check_inside(tensor)
        stored[tensor.name] = numpy_helper.to_array(tensor)
    weights: dict[str, npt.NDArray[np.float32]] = {}
    for name, array in stored.items():
        if name.endswith(".int8"):
            base = name.removesuffix(".int8")
            scale = stored.get(f"{base}.scale")
            if scale is None or not _fits(scale.shape, array.shape):  # one that widens it could fill the memory
                raise BadInput(f"the graph has no scale that fits {name}")
            weights[base] = array.astype(np.float32) * scale.astype(np.float32)
        elif name.endswith(".bias"):
            weights[name] = array.astype(np.float32)
    return weights


def check_inside(tensor: onnx.TensorProto) -> None:
    """Raises BadInput where the tensor points to another file."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise BadInput(f"the graph keeps {tensor.name} outside its file, which is not allowed")


def _fits(scale: tuple[int, ...], array: tuple[int, ...]) -> bool:
    return len(scale) <= len(array) and all(
        one in (1, whole) for one, whole in zip(scale[::-1], array[::-1], strict=False)
    )

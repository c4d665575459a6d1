"""MTCNN's three nets (Zhang et al. 2016) as ONNX graphs, written from the weights in facenet-pytorch's wheel.

Built at first use and kept in the user's cache folder under a name that holds the weights' checksum; where that
folder cannot be written, they are built anew each time (a second, most of it importing torch).

Each graph takes float32 B, G, R pixels of 0-255, (N, 3, H, W): the normalisation and the channel order are folded
into the first convolution (possible because no convolution pads). The convolutions' PReLU is written as
``slope x + (1 - slope) relu(x)``: ONNX Runtime's own ``PRelu`` took more than half of the nets' time.

``p``: ``cells`` (N, 6, h, w): two class logits, then four box offsets, for windows of 12 pixels at stride 2.
``r``: ``scores`` (N, 2) logits, ``offsets`` (N, 4), for crops of 24 x 24.
``o``: the same and ``points`` (N, 10), five x then five y, for crops of 48 x 48.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.graphs.cache import cached

Arrays = Mapping[str, npt.NDArray[np.float32]]

_BUILD: Final = 2  # grows when this file writes other graphs from the same weights
_BLOCK: Final = 16  # channels are padded with zeros to a multiple of it (AVX-512's blocks in ONNX Runtime)
_MEAN, _SCALE = 127.5, 1 / 128
# Per net: each convolution with the pooling (kernel) after it, and the shape (C, H, W) that the first dense layer sees.
_TRUNKS: Final[dict[str, list[tuple[str, int]]]] = {
    "p": [("conv1", 2), ("conv2", 0), ("conv3", 0)],
    "r": [("conv1", 3), ("conv2", 3), ("conv3", 0)],
    "o": [("conv1", 3), ("conv2", 3), ("conv3", 2), ("conv4", 0)],
}
_DENSE: Final = {"r": ("dense4", "prelu4", (64, 3, 3)), "o": ("dense5", "prelu5", (128, 3, 3))}
_HEADS: Final = {
    "r": {"scores": "dense5_1", "offsets": "dense5_2"},
    "o": {"scores": "dense6_1", "offsets": "dense6_2", "points": "dense6_3"},
}


def load_net(name: str) -> bytes:
    """One net as a serialised ONNX model; ``name``: ``p``, ``r`` or ``o``."""
    weights = _wheel_folder() / f"{name}net.pt"
    key = {"weights": hashlib.sha256(weights.read_bytes()).hexdigest(), "build": _BUILD}
    return cached(f"mtcnn_{name}", key, lambda: build_net(name, _read_weights(weights)))


def build_net(name: str, weights: Arrays) -> bytes:
    """Write the graph of net ``name`` from a state dict of facenet-pytorch's ``PNet``, ``RNet`` or ``ONet``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(label: str, array: npt.NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype=np.float32), label))
        return label

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolution(layer: str, value: str, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> str:
        inputs = [value, constant(f"{layer}.weight", weight), constant(f"{layer}.bias", bias)]
        return node("Conv", inputs, layer, kernel_shape=list(weight.shape[2:]))

    def scaled(value: str, factors: npt.NDArray[Any], output: str) -> str:
        """Each channel times its factor, as a depthwise convolution: ONNX Runtime keeps its blocked layout then."""
        inputs = [value, constant(f"{output}.factors", factors.reshape(-1, 1, 1, 1))]
        return node("Conv", inputs, output, kernel_shape=[1, 1], group=len(factors))

    value, channels = "pixels", 3
    for layer, pooling in _TRUNKS[name]:
        weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        if layer == "conv1":
            # conv((x - mean) scale) = conv'(x), with weight' = weight scale, bias' = bias - mean sum(weight')
            weight = weight[:, ::-1] * np.float32(_SCALE)
            bias = (bias - _MEAN * weight.sum(axis=(1, 2, 3), dtype=np.float64)).astype(np.float32)
        slope = weights[f"prelu{layer[-1]}.weight"]
        spare = -len(weight) % _BLOCK
        weight = np.pad(weight, ((0, spare), (0, channels - weight.shape[1]), (0, 0), (0, 0)))
        bias, slope, channels = np.pad(bias, (0, spare)), np.pad(slope, (0, spare)), len(weight)
        value = convolution(layer, value, weight, bias)
        # prelu(x) = slope x + (1 - slope) relu(x)
        rectified = node("Relu", [value], f"{layer}.relu")
        terms = [scaled(rectified, 1 - slope, f"{layer}.upper"), scaled(value, slope, f"{layer}.lower")]
        value = node("Add", terms, f"{layer}.active")
        if pooling:
            kernel, stride = [pooling] * 2, [2, 2]
            value = node("MaxPool", [value], f"{layer}.pooled", kernel_shape=kernel, strides=stride, ceil_mode=1)

    if name == "p":
        weight = np.concatenate([weights["conv4_1.weight"], weights["conv4_2.weight"]])
        weight = np.pad(weight, ((0, 0), (0, channels - weight.shape[1]), (0, 0), (0, 0)))
        bias = np.concatenate([weights["conv4_1.bias"], weights["conv4_2.bias"]])
        outputs: dict[str, list[str | int]] = {convolution("cells", value, weight, bias): ["N", 6, "h", "w"]}
        size: list[str | int] = ["H", "W"]
    else:
        layer, slope_name, (channels, height, width) = _DENSE[name]
        # facenet-pytorch flattens as (W, H, C), as the Caffe original did; ONNX' Flatten as (C, H, W)
        weight = weights[f"{layer}.weight"].reshape(-1, width, height, channels).transpose(0, 3, 2, 1)
        value = node("Flatten", [value], "flat")
        dense = constant(f"{layer}.weight", weight.reshape(len(weight), -1))
        value = node("Gemm", [value, dense, constant(f"{layer}.bias", weights[f"{layer}.bias"])], layer, transB=1)
        slopes = constant(f"{slope_name}.slope", weights[f"{slope_name}.weight"])
        value = node("PRelu", [value, slopes], f"{layer}.active")
        outputs = {}
        for output, head in _HEADS[name].items():
            weight, bias = weights[f"{head}.weight"], weights[f"{head}.bias"]
            inputs = [value, constant(f"{head}.weight", weight), constant(f"{head}.bias", bias)]
            node("Gemm", inputs, output, transB=1)
            outputs[output] = ["N", len(bias)]
        size = [24, 24] if name == "r" else [48, 48]

    graph = helper.make_graph(
        nodes,
        f"mtcnn {name}net",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, *size])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape) for output, shape in outputs.items()],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _wheel_folder() -> Path:
    """Where facenet-pytorch keeps its weights, without importing it (it imports torch and torchvision)."""
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("facenet-pytorch is not installed, and MTCNN's weights come from it")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read_weights(path: Path) -> Arrays:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return {key: value.numpy().astype(np.float32) for key, value in state.items()}

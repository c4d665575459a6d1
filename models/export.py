"""Writes and reads the classifier as one ONNX graph with weight-only int8 initialisers.

The graph is small and fixed, so it is built from ``onnx.helper`` directly: uint8 crops in, logits out.
Each weight is stored as int8 with one float32 scale per output channel and expanded by two ordinary ops
(``Cast``, ``Mul``) that every runtime folds at load. Reading the initialisers back gives the torch model:
the file is the only copy of the weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import nn

from models.errors import BadInput
from models.onnx_graph import GraphBuilder, add_normalisation, finish, quantise
from models.vgg16 import VGG16

LOGIT_TOLERANCE = 1e-4
_HEAD = ("head1", "head2")


def layers_of(model: VGG16) -> dict[str, nn.Conv2d | nn.Linear]:
    """The layers with weights by the names that the graph uses, from input to output."""
    linear = [layer for layer in model.head if isinstance(layer, nn.Linear)]
    return {**model.convolutions(), **dict(zip(_HEAD, linear, strict=True))}


def round_weights(model: VGG16) -> None:
    """Replace the model's weights by what the file will hold, so that torch and ONNX agree."""
    with torch.no_grad():
        for layer in layers_of(model).values():
            quantised, scale = quantise(layer.weight.numpy())
            layer.weight.copy_(torch.from_numpy(quantised.astype(np.float32) * scale))


def classifier_graph(model: VGG16) -> onnx.ModelProto:
    """uint8 ``crops`` (N, S, S, 3) RGB -> ``logits`` (N, K), dynamic N."""
    size, graph = model.input_size, GraphBuilder()
    x = add_normalisation(graph, model.spec)
    layers = layers_of(model)
    convolutions = iter(model.convolutions())
    for index, layer in enumerate(model.trunk):
        if isinstance(layer, nn.Conv2d):
            name = next(convolutions)
            inputs = [x, graph.weight(f"{name}.weight", _array(layer.weight)), _bias(graph, name, layer)]
            x = graph.op("Conv", inputs, f"{name}.out", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        elif isinstance(layer, nn.ReLU):
            x = graph.op("Relu", [x], f"relu{index}")
        else:
            x = graph.op("MaxPool", [x], f"pool{index}", kernel_shape=[2, 2], strides=[2, 2])
    x = graph.op("Flatten", [x], "flat", axis=1)
    for name in _HEAD:
        layer = layers[name]
        inputs = [x, graph.weight(f"{name}.weight", _array(layer.weight)), _bias(graph, name, layer)]
        output = "logits" if name == _HEAD[-1] else f"{name}.out"
        x = graph.op("Gemm", inputs, output, transB=1)
        if name != _HEAD[-1]:
            x = graph.op("Relu", [x], f"{name}.relu")
    return finish(
        graph,
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["N", size, size, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", model.classes])],
        "classifier",
    )


def export_classifier(model: VGG16, path: Path) -> float:
    """Write the classifier after checking it against torch on the CPU; the model's weights are rounded to the file's.

    Returns:
        The largest difference of a logit between ONNX Runtime and torch.

    Raises:
        BadInput: the difference exceeds 1e-4 x max(1, largest logit); nothing is written.
    """
    model.eval()
    round_weights(model)
    proto = classifier_graph(model)
    difference = check_against_torch(proto.SerializeToString(), model)
    partial = path.with_suffix(".part")
    onnx.save(proto, partial)
    partial.replace(path)
    return difference


def check_against_torch(graph: bytes, model: VGG16, *, crops: int = 8, seed: int = 0) -> float:
    """Largest logit difference on random crops; see ``export_classifier``."""
    pixels = np.random.default_rng(seed).integers(0, 256, (crops, model.input_size, model.input_size, 3), np.uint8)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"crops": pixels})
    with torch.no_grad():
        wanted = model.logits_of_pixels(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy()
    difference = float(np.abs(found - wanted).max())
    allowed = LOGIT_TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    if not difference <= allowed:
        raise BadInput(f"export refused: ONNX and torch logits differ by {difference:.2e}, allowed are {allowed:.2e}")
    return difference


def load_weights(model: VGG16, weights: dict[str, npt.NDArray[np.float32]]) -> None:
    """Copy what ``read_weights`` found into a model of the same shape.

    Raises:
        KeyError, RuntimeError: a layer is missing or has another shape.
    """
    with torch.no_grad():
        for name, layer in layers_of(model).items():
            assert layer.bias is not None
            layer.weight.copy_(torch.from_numpy(weights[f"{name}.weight"]))
            layer.bias.copy_(torch.from_numpy(weights[f"{name}.bias"]))


def _array(parameter: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = parameter.detach().cpu().numpy()
    return array


def _bias(graph: GraphBuilder, name: str, layer: nn.Conv2d | nn.Linear) -> str:
    assert layer.bias is not None
    return graph.constant(f"{name}.bias", _array(layer.bias))

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
from torch import nn

from models.errors import BadInput
from models.files import whole_file
from models.graphs.builder import GraphBuilder, finish, quantise
from models.graphs.classifier import HEAD_NAMES, add_layers, ends_of
from models.network.vgg16 import VGG16

LOGIT_TOLERANCE = 1e-4


def layers_of(model: VGG16) -> dict[str, nn.Conv2d | nn.Linear]:
    """The layers with weights by the names that the graph uses, from input to output."""
    linear = [layer for layer in model.head if isinstance(layer, nn.Linear)]
    return {**model.convolutions(), **dict(zip(HEAD_NAMES, linear, strict=True))}


def round_weights(model: VGG16) -> None:
    """Replace the model's weights by what the file will hold, so that torch and ONNX agree.

    Raises:
        BadInput: a weight is no number.
    """
    with torch.no_grad():
        for name, layer in layers_of(model).items():
            if not layer.weight.isfinite().all():
                raise BadInput(f"export refused: the weights of {name} hold what is no number")
            quantised, scale = quantise(layer.weight.numpy())
            layer.weight.copy_(torch.from_numpy(quantised.astype(np.float32) * scale))


def classifier_graph(model: VGG16) -> onnx.ModelProto:
    """uint8 ``crops`` (N, S, S, 3) RGB -> ``logits`` (N, K), dynamic N."""
    graph = GraphBuilder()
    add_layers(graph, model.spec)
    for name, layer in layers_of(model).items():
        assert layer.bias is not None
        graph.weight(f"{name}.weight", _array(layer.weight))
        graph.constant(f"{name}.bias", _array(layer.bias))
    crops, logits = ends_of(classes=model.classes, input_size=model.input_size)
    return finish(graph, [crops], [logits], "classifier")


def export_classifier(model: VGG16, path: Path) -> float:
    """Write the classifier after checking it against torch on the CPU; the model's weights are rounded to the file's.

    Returns:
        The largest difference of a logit between ONNX Runtime and torch.

    Raises:
        BadInput: the difference exceeds 1e-4 x max(1, largest logit), or a weight is no number; nothing is written.
    """
    model.eval()
    round_weights(model)
    proto = classifier_graph(model)
    content = proto.SerializeToString()
    difference = check_against_torch(content, model)
    with whole_file(path) as stream:
        stream.write(content)
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
    for name, layer in layers_of(model).items():
        kept = {kind: torch.from_numpy(weights[f"{name}.{kind}"]) for kind in ("weight", "bias")}
        layer.load_state_dict(kept)


def _array(parameter: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = parameter.detach().cpu().numpy()
    return array

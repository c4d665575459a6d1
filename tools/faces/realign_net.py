"""The net of ``realtime.faces.realign`` in PyTorch: to train it, and to attack what looks a second time."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from models.crop.zones import zone_mask
from realtime.faces.realign import COLUMNS, FILL, ROWS, SIDE


class RealignNet(nn.Sequential):
    """(N, 3, 68, 68) in about [-1, 1] -> (N, 4) in ``UNITS``; 590 000 parameters."""

    def __init__(self) -> None:
        convolutions = [nn.Conv2d(3, 16, 5, stride=2, padding=2)]
        convolutions += [nn.Conv2d(ins, outs, 3, padding=1) for ins, outs in ((16, 32), (32, 64), (64, 64))]
        first, second, third, fourth = convolutions
        layers = [first, nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2), third, nn.ReLU(), nn.MaxPool2d(2)]
        layers += [fourth, nn.ReLU(), nn.Flatten(), nn.Linear(64 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, 4)]
        super().__init__(*layers)


def seen(crops: torch.Tensor) -> torch.Tensor:
    """(N, 3, 112, 112) on 0-255 -> what the net gets."""
    zone = torch.from_numpy(zone_mask("eyewear", SIDE).copy())
    hidden = torch.where(zone, torch.tensor(FILL, dtype=crops.dtype).view(1, 3, 1, 1), crops)
    return (hidden[:, :, ROWS[0] : ROWS[1], COLUMNS[0] : COLUMNS[1]] - 127.5) / 128


def exported(net: RealignNet) -> bytes:
    """The graph: ``pixels`` (N, 68, 68, 3) uint8 RGB -> ``displacement`` (N, 4) in ``UNITS``; weights in float16."""
    nodes, constants = [], []

    def constant(name: str, values: Any, dtype: Any = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(name: str, values: torch.Tensor) -> str:
        half = constant(f"{name}.half", values.detach().numpy(), np.float16)
        return node("Cast", [half], name, to=TensorProto.FLOAT)

    value = node("Cast", ["pixels"], "float", to=TensorProto.FLOAT)
    value = node("Transpose", [value], "channels_first", perm=[0, 3, 1, 2])
    value = node("Sub", [value, constant("middle", 127.5)], "centred")
    value = node("Div", [value, constant("span", 128.0)], "scaled")
    for number, layer in enumerate(net):
        name = f"layer{number}" if number < len(net) - 1 else "displacement"
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.bias is not None
            inputs = [value, weight(f"{name}.weight", layer.weight), weight(f"{name}.bias", layer.bias)]
            if isinstance(layer, nn.Conv2d):
                kernel, strides, pads = list(layer.kernel_size), list(layer.stride), [int(layer.padding[0])] * 4
                value = node("Conv", inputs, name, kernel_shape=kernel, strides=strides, pads=pads)
            else:
                value = node("Gemm", inputs, name, transB=1)
        elif isinstance(layer, nn.MaxPool2d):
            value = node("MaxPool", [value], name, kernel_shape=[2, 2], strides=[2, 2])
        else:
            value = node("Flatten" if isinstance(layer, nn.Flatten) else "Relu", [value], name)
    side = [ROWS[1] - ROWS[0], COLUMNS[1] - COLUMNS[0], 3]
    graph = helper.make_graph(
        nodes,
        "realign",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", *side])],
        [helper.make_tensor_value_info("displacement", TensorProto.FLOAT, ["N", 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def loaded(content: bytes) -> RealignNet:
    """The net of a graph that ``exported`` wrote, for attacks on it."""
    model = onnx.load_from_string(content)
    found = {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}
    last, net = max(number for number, _ in enumerate(RealignNet())), RealignNet()
    for number, layer in enumerate(net):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            name = f"layer{number}" if number < last else "displacement"
            for part, value in layer.named_parameters():
                value.data = torch.from_numpy(found[f"{name}.{part}.half"].astype(np.float32))
    return net.eval().requires_grad_(False)

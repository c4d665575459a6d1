"""A description and its graph are of one network, whoever signed them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.bundle import Bundle, load_bundle, write_description
from models.errors import BadInput
from models.graphs.classifier import weight_shapes
from models.graphs.export import layers_of
from models.network.vgg16 import VGG16


def signed(bundle: Bundle, folder: Path, content: bytes, **changes: Any) -> Path:
    """The bundle with this classifier and a changed description, all checksums right."""
    folder.mkdir()
    (folder / "classifier.onnx").write_bytes(content)
    sums = {"classifier.onnx": hashlib.sha256(content).hexdigest()}
    write_description(folder, bundle.info.model_copy(update={"sha256": sums, **changes}))
    return folder


@pytest.mark.parametrize(("size", "hidden", "classes"), [(32, 16, 4), (112, 64, 31), (224, 8, 3)])
def test_the_shapes_are_those_of_the_torch_network(size: int, hidden: int, classes: int) -> None:
    model = VGG16(classes=classes, input_size=size, hidden=hidden)
    wanted = {name: tuple(layer.weight.shape) for name, layer in layers_of(model).items()}
    assert weight_shapes(classes=classes, input_size=size, hidden=hidden) == wanted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": tuple("ABCDEF")}, "does not give 6 numbers"),
        ({"labels": ("A", "B")}, "does not give 2 numbers"),
        ({"input_size": 64}, "does not take crops of 64 x 64"),
        ({"hidden": 8}, r"head1\.weight\.int8 has the shape \(16, 512\), wanted \(8, 512\)"),
    ],
)
def test_a_description_of_another_network_is_refused(
    small_bundle: Bundle, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = signed(small_bundle, tmp_path / "b", small_bundle.classifier_path.read_bytes(), **changes)
    with pytest.raises(BadInput, match=rf"classifier\.onnx does not fit bundle\.yaml: .*{message}"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        ({"mean": (1.0, 2.0, 3.0)}, "mean is another"),
        ({"channel_order": "RGB"}, "layers are not those"),
        ({"scale": (0.5, 0.5, 0.5)}, "layers are not those"),
    ],
)
def test_a_description_of_another_input_is_refused(
    small_bundle: Bundle, tmp_path: Path, trunk: dict[str, Any], message: str
) -> None:
    content = small_bundle.classifier_path.read_bytes()
    other = small_bundle.info.trunk.model_copy(update=trunk)
    with pytest.raises(BadInput, match=message):
        load_bundle(signed(small_bundle, tmp_path / "b", content, trunk=other))


def _tensor(proto: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in proto.graph.initializer if tensor.name == name)


def average(proto: onnx.ModelProto) -> None:
    next(node for node in proto.graph.node if node.op_type == "MaxPool").op_type = "AveragePool"


def other_output(proto: onnx.ModelProto) -> None:
    proto.graph.output[0].name = "out"


def outside(proto: onnx.ModelProto) -> None:
    tensor = _tensor(proto, "head2.bias")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def narrow(proto: onnx.ModelProto) -> None:
    tensor = _tensor(proto, "block1_conv2.weight.int8")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:1].copy(), tensor.name))


def broken_off(proto: onnx.ModelProto) -> None:
    tensor = _tensor(proto, "block1_conv2.weight.int8")
    tensor.raw_data = tensor.raw_data[:-1]


def scale_broken_off(proto: onnx.ModelProto) -> None:
    tensor = _tensor(proto, "block1_conv2.weight.scale")
    tensor.raw_data = tensor.raw_data[:-4]


def no_number(proto: onnx.ModelProto) -> None:
    tensor = _tensor(proto, "head2.bias")
    tensor.CopyFrom(numpy_helper.from_array(np.full(4, np.nan, np.float32), tensor.name))


def one_more(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "another"))


def twice(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(_tensor(proto, "head2.bias"))


def older(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 17


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (average, "layers are not those"),
        (other_output, "does not give 4 numbers"),
        (outside, "keeps head2.bias outside its file"),
        (narrow, r"has the shape \(1, 64, 3, 3\), wanted \(64, 64, 3, 3\)"),
        (broken_off, "is not whole"),
        (scale_broken_off, "does not fit"),
        (no_number, "head2.bias holds what is no number"),
        (one_more, "tensors are not those"),
        (twice, "tensors are not those"),
        (older, "opset 18"),
    ],
)
def test_another_graph_is_refused_before_any_engine_sees_it(
    small_bundle: Bundle, tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str
) -> None:
    proto = onnx.load(str(small_bundle.classifier_path))
    change(proto)
    with pytest.raises(BadInput, match=message) as error:
        load_bundle(signed(small_bundle, tmp_path / "b", proto.SerializeToString()))
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_graph_are_refused(small_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"classifier\.onnx is no ONNX graph"):
        load_bundle(signed(small_bundle, tmp_path / "b", b"garbage" * 10))

"""The exported graph: equal to torch, checked before it is written."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.errors import BadInput
from models.graphs import export
from models.network.vgg16 import VGG16, InputSpec
from models.training.trunks import TORCHVISION_INPUT

pytestmark = pytest.mark.usefixtures("narrow")


def run(path: Path, pixels: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"crops": pixels})[0]


@pytest.mark.parametrize("spec", [InputSpec(mean=(103.939, 116.779, 123.68)), TORCHVISION_INPUT])
def test_graph_and_torch_agree_on_uint8_crops(tmp_path: Path, spec: InputSpec) -> None:
    torch.manual_seed(0)
    model = VGG16(classes=3, input_size=64, hidden=8, spec=spec).eval()
    export.export_classifier(model, tmp_path / "c.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    with torch.no_grad():
        wanted = model(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).numpy()
    found = run(tmp_path / "c.onnx", pixels)
    assert np.abs(found - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())


def test_the_large_input_size_works(tmp_path: Path) -> None:
    model = VGG16(classes=30, input_size=224)
    export.export_classifier(model, tmp_path / "c.onnx")
    assert run(tmp_path / "c.onnx", np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 30)


def test_the_file_is_opset_18_with_a_dynamic_batch(tmp_path: Path) -> None:
    export.export_classifier(VGG16(classes=2, input_size=32, hidden=4), tmp_path / "c.onnx")
    proto = onnx.load(str(tmp_path / "c.onnx"))
    assert [o.version for o in proto.opset_import] == [18]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert run(tmp_path / "c.onnx", np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 2)


def test_a_graph_that_differs_is_refused_and_nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph_of = export.classifier_graph

    def wrong(model: VGG16) -> onnx.ModelProto:
        proto = graph_of(model)
        bias = next(t for t in proto.graph.initializer if t.name == "head2.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + 0.01, bias.name))
        return proto

    monkeypatch.setattr(export, "classifier_graph", wrong)
    with pytest.raises(BadInput, match="differ by"):
        export.export_classifier(VGG16(classes=2, input_size=32, hidden=4), tmp_path / "c.onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_no_numbers_are_not_exported(tmp_path: Path) -> None:
    model = VGG16(classes=2, input_size=32, hidden=4)
    with torch.no_grad():
        model.convolutions()["block2_conv1"].weight[3, 1, 1, 1] = torch.nan
    with pytest.raises(BadInput, match="the weights of block2_conv1 hold what is no number"):
        export.export_classifier(model, tmp_path / "c.onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_shape_are_not_spread(tmp_path: Path) -> None:
    model = VGG16(classes=2, input_size=32, hidden=4)
    weights = {f"{name}.{kind}": getattr(layer, kind).numpy(force=True).copy()
               for name, layer in export.layers_of(model).items() for kind in ("weight", "bias")}  # fmt: skip
    weights["block1_conv2.weight"] = weights["block1_conv2.weight"][:1]
    with pytest.raises(RuntimeError, match="size mismatch"):
        export.load_weights(model, weights)


def test_quantising_by_hand() -> None:
    weight = np.array([[127.0, -63.5], [0.0, 0.0]], np.float32)
    quantised, scale = export.quantise(weight)
    assert quantised.tolist() == [[127, -64], [0, 0]]
    assert scale.ravel().tolist() == [1.0, 1.0]

"""The 8-bit graphs: close to float32 on a small net, exact where integers can be, honest about foreign ranges."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_bundle import make_small_bundle

from models.bundle import Bundle, load_bundle, write_bundle, write_description
from models.engines import make_engine
from models.engines.graphs import int8_ranges
from models.engines.processor import sums_are_wide
from models.errors import BadInput
from models.graphs.defended import kept_values
from models.graphs.int8 import int8_graph, measure_ranges
from models.graphs.int8_crops import portrait_crops
from models.graphs.narrow_sums import WIDE_SUMS

pytestmark = pytest.mark.usefixtures("narrow")

OPENVINO = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO has no wheel here")


@pytest.fixture(scope="module", params=[32, 56])  # 56 has an odd side before its fourth and fifth pooling
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_small_bundle(tmp_path_factory.mktemp("int8") / "b", size=request.param)


@pytest.mark.parametrize("name", ["onnxruntime-int8", pytest.param("openvino-int8", marks=OPENVINO)])
def test_8_bits_stay_close_to_float32(bundle: Bundle, name: str) -> None:
    crops = portrait_crops(bundle.info.input_size, 8, seed=3)
    logits, saliency = make_engine(name, bundle).outputs_and_saliency(crops, None, 99.0)
    wanted_logits, wanted = make_engine("onnxruntime-cpu", bundle).outputs_and_saliency(crops, None, 99.0)
    spread = wanted_logits.max() - wanted_logits.min()
    assert np.abs(logits - wanted_logits).max() < 0.1 * spread
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(saliency, wanted, strict=True)]
    assert np.mean(likeness) > 0.9
    assert (saliency.min(), saliency.max()) == (0, 1)


def test_the_classifier_alone_gives_the_logits_of_the_defended_pass(bundle: Bundle) -> None:
    engine = make_engine("onnxruntime-int8", bundle)
    crops = portrait_crops(bundle.info.input_size, 5)
    np.testing.assert_allclose(engine.outputs(crops), engine.outputs_and_saliency(crops, None, 99.0)[0], atol=1e-3)


def test_a_crop_has_the_same_answer_alone_and_in_a_batch(bundle: Bundle) -> None:
    engine = make_engine("onnxruntime-int8", bundle)
    crops = portrait_crops(bundle.info.input_size, 4)
    logits, saliency = engine.outputs_and_saliency(crops, None, 99.0)
    alone = [engine.outputs_and_saliency(crop[None], None, 99.0) for crop in crops]
    np.testing.assert_allclose(np.concatenate([found[0] for found in alone]), logits, atol=1e-3)
    np.testing.assert_allclose(np.concatenate([found[1] for found in alone]), saliency, atol=1e-3)


def test_equal_bytes_in_a_window_give_the_gradient_to_the_first(bundle: Bundle) -> None:
    """Under one colour every window of the inner picture ties: only first pixels may be salient there."""
    classifier = onnx.load(str(bundle.classifier_path))
    side = bundle.info.input_size
    ranges = measure_ranges(classifier, bundle.info.trunk.spec, portrait_crops(side, 6))
    graph = int8_graph(classifier, bundle.info.trunk.spec, ranges)
    first, unpooled = "d_pool4.first", "d_pool4.unpooled.8"
    graph.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, kind, None)
        for name, kind in ((first, onnx.TensorProto.BOOL), (unpooled, onnx.TensorProto.UINT8))
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    kept = np.array([kept_values(side, 99.0)])
    chosen, _ = session.run([first, unpooled], {"crops": np.full((1, side, side, 3), 200, np.uint8), "kept": kept})
    windows = chosen.reshape(chosen.shape[1], side // 2, 2, side // 2, 2).sum(axis=(2, 4))
    assert (windows == 1).all()
    assert chosen[0, :, 4:-4:2, 4:-4:2].all()


def test_ranges_are_those_of_the_crops(bundle: Bundle) -> None:
    classifier = onnx.load(str(bundle.classifier_path))
    spec, side = bundle.info.trunk.spec, bundle.info.input_size
    dark = measure_ranges(classifier, spec, np.zeros((1, side, side, 3), np.uint8))
    assert all(value > 0 for value in dark.values())
    first = bundle.torch_model().trunk[:2]
    with torch.no_grad():
        largest = float(first(-torch.tensor(spec.mean).view(1, 3, 1, 1).expand(1, 3, side, side)).max())
    assert dark["relu1"] == pytest.approx(1.25 * largest, rel=1e-3)


def test_nothing_that_an_activation_gave_is_cut_off(bundle: Bundle) -> None:
    crops = portrait_crops(bundle.info.input_size, 3, seed=5)
    ranges = measure_ranges(onnx.load(str(bundle.classifier_path)), bundle.info.trunk.spec, crops)
    model = bundle.torch_model().eval()
    with torch.no_grad():
        x = model.normalise(torch.from_numpy(crops).permute(0, 3, 1, 2).float())
        for place, layer in enumerate(model.trunk):
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                assert ranges[f"relu{place}"] == pytest.approx(1.25 * float(x.max()), rel=1e-3)


def test_foreign_ranges_are_refused(bundle: Bundle) -> None:
    classifier = onnx.load(str(bundle.classifier_path))
    with pytest.raises(BadInput, match=r"the int8 ranges lack .*tools\.precision"):
        int8_graph(classifier, bundle.info.trunk.spec, {"relu1": 1.0})


def test_ranges_in_the_bundle_are_used(tmp_path: Path) -> None:
    bundle = make_small_bundle(tmp_path / "b")
    measured = int8_ranges(bundle)
    doubled = {name: 2 * value for name, value in measured.items()}
    write_description(bundle.folder, bundle.info.model_copy(update={"calibration": {"int8": {"ranges": doubled}}}))
    again = load_bundle(bundle.folder)
    assert int8_ranges(again) == json.loads(json.dumps(doubled))
    damaged = Bundle(again.folder, again.info.model_copy(update={"calibration": {"int8": {"ranges": "many"}}}))
    with pytest.raises(BadInput, match="no mapping of names to numbers"):
        int8_ranges(damaged)


def test_portrait_crops_are_the_same_every_time_and_differ_among_themselves() -> None:
    crops = portrait_crops(48, 6)
    assert np.array_equal(crops, portrait_crops(48, 6))
    assert len({crop.tobytes() for crop in crops}) == 6


@pytest.fixture(scope="module")
def largest_sums(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A network whose products are all as large as bytes allow: equal positive weights behind a white picture."""
    bundle = make_small_bundle(tmp_path_factory.mktemp("sums") / "b")
    model = bundle.torch_model()
    with torch.no_grad():
        for layer in model.trunk:
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.fill_(1 / layer.weight[0].numel())
                layer.bias.zero_()
    bundle = write_bundle(bundle.folder, model, bundle.info)
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    ranges = measure_ranges(onnx.load(str(bundle.classifier_path)), bundle.info.trunk.spec, white)
    info = bundle.info.model_copy(update={"calibration": {"int8": {"ranges": ranges}}})
    return Bundle(bundle.folder, info)


@pytest.mark.parametrize("name", ["onnxruntime-int8", pytest.param("openvino-int8", marks=OPENVINO)])
def test_sums_of_products_of_bytes_do_not_saturate_here(largest_sums: Bundle, name: str) -> None:
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    wanted = make_engine("onnxruntime-cpu", largest_sums).outputs(white)
    found = make_engine(name, largest_sums).outputs(white)
    np.testing.assert_allclose(found, wanted, rtol=0.03, atol=0.03 * float(np.abs(wanted).max()))


@pytest.mark.skipif(sums_are_wide(), reason="this processor adds products of bytes in 32 bits")
def test_with_weights_of_8_bits_they_would(largest_sums: Bundle) -> None:
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    classifier, ranges = onnx.load(str(largest_sums.classifier_path)), int8_ranges(largest_sums)
    found = {}
    for levels in (None, WIDE_SUMS):
        graph = int8_graph(classifier, largest_sums.info.trunk.spec, ranges, defended=False, levels=levels)
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        (found[levels],) = session.run(None, {"crops": white})
    wanted = make_engine("onnxruntime-cpu", largest_sums).outputs(white)
    errors = {levels: float(np.abs(logits - wanted).max()) for levels, logits in found.items()}
    assert errors[WIDE_SUMS] > 3 * errors[None]


@pytest.mark.parametrize("name", ["onnxruntime-int8", pytest.param("openvino-int8", marks=OPENVINO)])
def test_with_some_large_weights_anywhere_sums_do_not_saturate(tmp_path: Path, name: str) -> None:
    bundle = make_small_bundle(tmp_path / "b")
    model, generator = bundle.torch_model(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in model.trunk:
            if isinstance(layer, torch.nn.Conv2d):
                large = torch.rand(layer.weight.shape, generator=generator) < 0.3
                layer.weight.copy_(torch.where(large, 1.0, 0.1) / layer.weight[0].numel())
                layer.bias.zero_()
    bundle = write_bundle(bundle.folder, model, bundle.info)
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    ranges = measure_ranges(onnx.load(str(bundle.classifier_path)), bundle.info.trunk.spec, white)
    tight = {key: value / 1.25 for key, value in ranges.items()}  # bytes of 255
    bundle = Bundle(bundle.folder, bundle.info.model_copy(update={"calibration": {"int8": {"ranges": tight}}}))
    wanted = make_engine("onnxruntime-cpu", bundle).outputs(white)
    found = make_engine(name, bundle).outputs(white)
    np.testing.assert_allclose(found, wanted, rtol=0.03, atol=0.03 * float(np.abs(wanted).max()))

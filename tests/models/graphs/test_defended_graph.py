"""The graph of the defended pass against the torch reference (autograd), on a small net with random weights."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from skimage import data, transform
from small_bundle import make_small_bundle

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.engines.torch_engine import TorchEngine
from models.errors import BadInput
from models.graphs.defended import Style, defended_graph, kept_values
from models.graphs.export import classifier_graph, round_weights
from models.network.architecture import InputSpec
from models.network.guided_backprop import guided_backprop
from models.network.vgg16 import VGG16
from models.saliency_mask import scale_saliency

pytestmark = pytest.mark.usefixtures("narrow")


def astronaut_crops(size: int) -> Bytes:
    """Her face and its neighbourhood, larger and smaller, mirrored, noisy, and with bars of one colour."""
    rng = np.random.default_rng(0)
    face = data.astronaut()[40:200, 140:300]
    crops = []
    for border in (0, 12, 24):
        cut = face[border : 160 - border, border : 160 - border]
        crop = (transform.resize(cut, (size, size), anti_aliasing=True) * 255).astype(np.uint8)
        noisy = np.clip(crop + rng.normal(0, 8, crop.shape), 0, 255).astype(np.uint8)
        barred = crop.copy()
        barred[size // 4 : size // 2, size // 8 : -size // 8] = (220, 210, 50)
        crops += [crop, crop[:, ::-1], noisy, barred]
    return np.stack(crops)


def session_of(bundle: Bundle, style: Style) -> onnxruntime.InferenceSession:
    classifier = onnx.load(str(bundle.classifier_path))
    graph = defended_graph(classifier, bundle.info.trunk.spec, style=style)
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, crops: Bytes, percentile: float = 99.0) -> tuple[Floats, Floats]:
    kept = np.array([kept_values(crops.shape[1], percentile)])
    logits, saliency = session.run(["logits", "saliency"], {"crops": crops, "kept": kept})
    return logits, saliency


@pytest.fixture(scope="module", params=[32, 56])  # 56 has an odd side before its fourth and fifth pooling
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_small_bundle(tmp_path_factory.mktemp("bundle") / "b", size=request.param)


@pytest.fixture(scope="module", params=["blocked", "plain"])
def session(request: pytest.FixtureRequest, bundle: Bundle) -> onnxruntime.InferenceSession:
    return session_of(bundle, request.param)


def test_logits_and_saliency_equal_the_torch_reference(session: onnxruntime.InferenceSession, bundle: Bundle) -> None:
    crops = astronaut_crops(bundle.info.input_size)
    logits, saliency = run(session, crops)
    wanted_logits, wanted = TorchEngine(bundle).outputs_and_saliency(crops, None, 99.0)
    np.testing.assert_allclose(logits, wanted_logits, atol=1e-4, rtol=1e-4)
    # A gate at the rounding error of its activation may stand either way; torch differs so from itself.
    difference = np.abs(saliency - wanted)
    assert np.median(difference.max(axis=(1, 2))) < 1e-4
    assert difference.mean() < 1e-4


def test_equal_maxima_give_the_gradient_to_the_first_as_autograd_does(tmp_path: Path) -> None:
    bundle = make_small_bundle(tmp_path / "b", size=64)
    crops = np.zeros((3, 64, 64, 3), np.uint8)
    crops[0] = (220, 210, 50)  # one colour
    crops[1, :32] = 255  # two
    crops[2, 17:33, 9:51] = (10, 200, 90)
    _, wanted = TorchEngine(bundle).outputs_and_saliency(crops, None, 100.0)
    for style in ("blocked", "plain"):
        _, saliency = run(session_of(bundle, style), crops, 100.0)
        np.testing.assert_allclose(saliency, wanted, atol=1e-4)


def test_both_styles_give_the_same(bundle: Bundle) -> None:
    crops = astronaut_crops(bundle.info.input_size)[:4]
    blocked, plain = (run(session_of(bundle, style), crops) for style in ("blocked", "plain"))
    np.testing.assert_allclose(blocked[0], plain[0], atol=1e-5)
    np.testing.assert_allclose(blocked[1], plain[1], atol=1e-5)


def test_a_crop_has_the_same_answer_alone_and_in_a_batch(session: onnxruntime.InferenceSession, bundle: Bundle) -> None:
    crops = astronaut_crops(bundle.info.input_size)[:5]
    logits, saliency = run(session, crops)
    for index in range(5):
        alone = run(session, crops[index : index + 1])
        np.testing.assert_allclose(alone[0][0], logits[index], atol=1e-4)
        np.testing.assert_allclose(alone[1][0], saliency[index], atol=1e-4)


@pytest.mark.parametrize("percentile", [50.0, 99.9])
def test_every_percentile_is_the_higher_order_statistic(
    session: onnxruntime.InferenceSession, bundle: Bundle, percentile: float
) -> None:
    size = bundle.info.input_size
    _, saliency = run(session, astronaut_crops(size)[:1], percentile)
    below = (saliency < 1).sum()  # all that lie under numpy's percentile
    _, raw = run(session, astronaut_crops(size)[:1], 100.0)
    assert below == (raw < np.percentile(raw, percentile, method="higher")).sum()


def test_a_net_without_any_gradient_gives_an_all_zero_map() -> None:
    model = VGG16(classes=2, input_size=32, hidden=4).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    round_weights(model)
    graph = defended_graph(classifier_graph(model), model.spec).SerializeToString()
    _, saliency = run(onnxruntime.InferenceSession(graph), np.full((2, 32, 32, 3), 90, np.uint8))
    assert not saliency.any()


def test_a_scaled_rgb_trunk_is_derived_as_well() -> None:
    torch.manual_seed(0)
    spec = InputSpec(mean=(123.0, 117.0, 104.0), scale=(0.017, 0.018, 0.03), channel_order="RGB")
    model = VGG16(classes=3, input_size=32, hidden=8, spec=spec).eval()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    round_weights(model)
    crops = astronaut_crops(32)[:3]
    x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    wanted = scale_saliency(guided_backprop(model, x).permute(0, 2, 3, 1).numpy(), 99.0)
    graph = defended_graph(classifier_graph(model), spec).SerializeToString()
    _, saliency = run(onnxruntime.InferenceSession(graph), crops)
    assert np.median(np.abs(saliency - wanted).max(axis=(1, 2))) < 1e-4


def test_the_classifier_given_is_not_changed(bundle: Bundle) -> None:
    classifier = onnx.load(str(bundle.classifier_path))
    before = classifier.SerializeToString()
    defended_graph(classifier, bundle.info.trunk.spec)
    assert classifier.SerializeToString() == before


def test_a_graph_of_another_shape_is_refused(bundle: Bundle) -> None:
    classifier = onnx.load(str(bundle.classifier_path))
    for node in classifier.graph.node:
        if node.op_type == "MaxPool":
            node.op_type = "AveragePool"
    with pytest.raises(BadInput, match="not the chain of layers"):
        defended_graph(classifier, bundle.info.trunk.spec)

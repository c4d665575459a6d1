"""Views in the recogniser's graph against the same crops hidden beforehand and classified on their own."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import shape_inference
from small_bundle import make_small_bundle

from models.arrays import Floats
from models.bundle import Bundle
from models.crop.zones import ZONES, ViewSelection, Zone, every_view, zone_mask
from models.engines import graphs
from models.graphs.defended import defended_graph, graph_with_views, kept_values
from models.graphs.export import classifier_graph, round_weights
from models.graphs.views import rows_reached
from models.network.architecture import InputSpec
from models.network.vgg16 import VGG16

pytestmark = pytest.mark.usefixtures("narrow")


@pytest.fixture(scope="module", params=[32, 33, 50, 112])  # 33 is odd, 50 after its first pooling: less is shared
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_small_bundle(tmp_path_factory.mktemp("bundle") / "b", size=request.param)


def crops_of(bundle: Bundle, count: int) -> npt.NDArray[np.uint8]:
    side = bundle.info.input_size
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def session_of(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def shared(bundle: Bundle, zones: tuple[Zone, ...]) -> onnxruntime.InferenceSession:
    return session_of(graph_with_views(onnx.load(str(bundle.classifier_path)), bundle.info.trunk.spec, zones))


def inputs(selection: ViewSelection, crops: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.generic]]:
    return {"crops": crops, **{f"{zone}.of": selection.of(number) for number, zone in enumerate(selection.zones)}}


def alone(bundle: Bundle, selection: ViewSelection, crops: npt.NDArray[np.uint8]) -> Floats:
    views = selection.views(crops, bundle.info.trunk.spec.fill_rgb)
    (logits,) = session_of(onnx.load(str(bundle.classifier_path))).run(["logits"], {"crops": views})
    return logits


@pytest.mark.parametrize("zones", [tuple(ZONES), ("lower_face",), ("forehead", "eyewear")])
def test_views_that_share_the_first_blocks_equal_the_hidden_crops_classified_alone(bundle, zones):
    crops = crops_of(bundle, 3)
    selection = every_view(zones, 3)
    (logits,) = shared(bundle, zones).run(["logits"], inputs(selection, crops))
    wanted = alone(bundle, selection, crops)
    np.testing.assert_allclose(logits[3:], wanted, atol=1e-5 * np.abs(wanted).max())
    assert np.abs(logits[3:6] - logits[:3]).max() > 1e-3 * np.abs(logits).max()  # what is hidden matters


def test_each_zone_is_looked_at_on_the_crops_that_are_named(bundle):
    crops = crops_of(bundle, 3)
    session = shared(bundle, ("eyewear", "lower_face"))
    for looked in ([[1, 0], [0, 0], [1, 1]], [[0, 0], [0, 1], [0, 0]]):
        selection = ViewSelection(("eyewear", "lower_face"), np.array(looked, np.bool_))
        wanted = alone(bundle, selection, crops)
        (logits,) = session.run(["logits"], inputs(selection, crops))
        np.testing.assert_allclose(logits[3:], wanted, atol=1e-5 * np.abs(wanted).max())


def test_where_nobody_looks_there_are_no_views(bundle):
    selection = ViewSelection(("eyewear",), np.zeros((2, 1), np.bool_))
    (logits,) = shared(bundle, ("eyewear",)).run(["logits"], inputs(selection, crops_of(bundle, 2)))
    assert logits.shape == (2, 4)


@pytest.mark.parametrize("zone", ZONES)
def test_not_a_bit_of_a_view_depends_on_the_pixels_of_its_zone(bundle, zone):
    crops, selection = crops_of(bundle, 2), every_view((zone,), 2)
    other = crops.copy()
    other[:, zone_mask(zone, bundle.info.input_size)] ^= 255
    session = shared(bundle, (zone,))
    first, second = (session.run(["logits"], inputs(selection, one))[0] for one in (crops, other))
    np.testing.assert_array_equal(first[2:], second[2:])
    assert (first[:2] != second[:2]).any()


def test_a_trunk_with_another_order_of_colours_and_a_scale_has_its_own_fill(tmp_path: Path):
    spec = InputSpec(mean=(120.0, 110.0, 100.0), scale=(0.02, 0.01, 0.03), channel_order="RGB")
    torch.manual_seed(0)
    model = VGG16(classes=4, input_size=48, hidden=16, spec=spec)
    round_weights(model)
    classifier, selection = classifier_graph(model), every_view(("eyewear", "forehead"), 2)
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    (logits,) = session_of(graph_with_views(classifier, spec, selection.zones)).run(
        ["logits"], inputs(selection, crops)
    )
    (wanted,) = session_of(classifier).run(["logits"], {"crops": selection.and_crops(crops, (120, 110, 100))})
    np.testing.assert_allclose(logits, wanted, atol=1e-5 * np.abs(wanted).max())


def test_graphs_of_other_zones_or_another_fill_are_kept_apart(bundle):
    other = bundle.info.trunk.model_copy(update={"mean": (1.0, 2.0, 3.0)})
    recoloured = Bundle(bundle.folder, bundle.info.model_copy(update={"trunk": other}))
    made = [graphs.classifier(bundle, "float32", zones) for zones in (("eyewear",), ("lower_face",))]
    made.append(graphs.classifier(recoloured, "float32", ("eyewear",)))
    assert len(set(made)) == 3
    assert graphs.classifier(bundle, "float32", ("eyewear",)) == made[0]
    assert graphs.classifier(bundle, "int8") != graphs.classifier(recoloured, "int8")


def test_the_defended_pass_gives_the_same_views_and_its_own_logits_and_saliency(bundle):
    crops, selection = crops_of(bundle, 2), every_view(("eyewear", "cheeks"), 2)
    classifier, spec = onnx.load(str(bundle.classifier_path)), bundle.info.trunk.spec
    kept = {"kept": np.array([kept_values(crops.shape[1], 99.0)])}
    with_views = session_of(defended_graph(classifier, spec, zones=selection.zones))
    logits, saliency, views = with_views.run(["logits", "saliency", "views"], {**inputs(selection, crops), **kept})
    wanted = session_of(defended_graph(classifier, spec)).run(["logits", "saliency"], {"crops": crops, **kept})
    np.testing.assert_allclose(logits, wanted[0], atol=1e-5 * np.abs(logits).max())
    np.testing.assert_allclose(saliency, wanted[1], atol=1e-5)
    np.testing.assert_allclose(views, alone(bundle, selection, crops), atol=1e-5 * np.abs(views).max())


def test_rows_reached_are_those_of_a_convolution_by_hand():
    # rows 20 to 65 of 112; two 3 x 3 convolutions reach 18 to 67, the pooled rows 9 to 33
    assert rows_reached(20, 66, 2, 112) == (9, 34)
    assert rows_reached(46, 112, 2, 112) == (22, 56)
    assert rows_reached(0, 10, 1, 31) == (0, 6)
    assert rows_reached(27, 31, 1, 31) == (13, 15)  # pooling drops the last row of an odd side


def test_only_the_rows_that_the_zone_reaches_are_computed(tmp_path: Path):
    bundle = make_small_bundle(tmp_path / "b", size=112)
    classifier = onnx.load(str(bundle.classifier_path))
    proto = shape_inference.infer_shapes(graph_with_views(classifier, bundle.info.trunk.spec, ("eyewear",)))
    shapes = {info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim] for info in proto.graph.value_info}
    names = [node.output[0] for node in proto.graph.node if node.op_type == "Conv"]
    # rows 16 to 73 of the first block (one more at either end before its second convolution), 6 to 39 of the second
    assert [shapes[name][2] for name in names if name.startswith("eyewear")] == [56, 54, 34, 32]

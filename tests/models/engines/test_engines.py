"""Every engine against the torch reference, and what importing one costs."""

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
from small_bundle import small_gallery

from models.arrays import Floats
from models.bundle import Bundle
from models.crop.zones import Zone, every_view
from models.engines import Engine, graphs, make_engine, onnxruntime_engine
from models.engines import openvino_engine as openvino_module
from models.engines.providers import open_session
from models.engines.torch_engine import TorchEngine
from models.errors import BadInput

has_openvino = importlib.util.find_spec("openvino") is not None
openvino_only = pytest.mark.skipif(not has_openvino, reason="OpenVINO has no wheel here")


@pytest.fixture(scope="module", params=["closed set", "gallery"])
def bundle(request: pytest.FixtureRequest, narrow_bundle: Bundle, narrow_gallery_bundle: Bundle) -> Bundle:
    return narrow_bundle if request.param == "closed set" else narrow_gallery_bundle


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> Floats | None:
    return None if bundle.gallery is None else bundle.gallery.rows(0)


@pytest.fixture(scope="module", params=["onnxruntime", pytest.param("openvino", marks=openvino_only)])
def engine(request: pytest.FixtureRequest, bundle: Bundle) -> Engine:
    return make_engine(request.param, bundle, threads=1)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)


def test_an_engine_equals_the_torch_reference(
    engine: Engine, bundle: Bundle, rows: Floats | None, crops: np.ndarray
) -> None:
    reference = TorchEngine(bundle)
    np.testing.assert_allclose(engine.outputs(crops), reference.outputs(crops), atol=1e-4, rtol=1e-4)
    for percentile in (99.0, 100.0):
        outputs, saliency = engine.outputs_and_saliency(crops, rows, percentile)
        wanted_outputs, wanted = reference.outputs_and_saliency(crops, rows, percentile)
        np.testing.assert_allclose(outputs, wanted_outputs, atol=1e-4, rtol=1e-4)
        assert np.median(np.abs(saliency - wanted).max(axis=(1, 2))) < 1e-4
        assert (saliency.dtype, saliency.shape) == (np.float32, (9, 32, 32))
        assert (saliency.max(axis=(1, 2)) > 0.9999).all()


@pytest.mark.parametrize("name", ["torch", "onnxruntime", pytest.param("openvino", marks=openvino_only)])
def test_saliency_follows_the_rows_it_is_given_and_nothing_is_loaded_anew(
    name: str, narrow_gallery_bundle: Bundle, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(name, narrow_gallery_bundle, threads=1)
    rows = small_gallery(narrow_gallery_bundle, list("abcdef"), seed=7).rows(0)
    _, first = engine.outputs_and_saliency(crops, rows[:3], 99.0)
    monkeypatch.setattr(graphs, "cached", lambda *given: pytest.fail("a graph was built"))
    _, same = engine.outputs_and_saliency(crops, np.concatenate([rows[:3], rows[:1]]), 99.0)
    _, other = engine.outputs_and_saliency(crops, rows[3:], 99.0)
    np.testing.assert_allclose(first, same, atol=1e-5)
    assert np.abs(first - other).max() > 0.01
    _, nobody = engine.outputs_and_saliency(crops, np.zeros((1, rows.shape[1]), np.float32), 99.0)
    assert not nobody.any()


def test_batches_of_any_size_follow_one_another(engine: Engine, rows: Floats | None, crops: np.ndarray) -> None:
    whole = engine.outputs_and_saliency(crops, rows, 99.0)
    for size in (0, 1, 4, 2):
        outputs, saliency = engine.outputs_and_saliency(crops[:size], rows, 99.0)
        np.testing.assert_allclose(outputs, whole[0][:size], atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(saliency, whole[1][:size], atol=3e-3)  # OpenVINO sums in another order


@pytest.mark.parametrize(
    "name",
    [
        "torch",
        "onnxruntime",
        "onnxruntime-int8",
        pytest.param("openvino", marks=openvino_only),
        pytest.param("openvino-int8", marks=openvino_only),
    ],
)
def test_views_come_after_the_crops_whatever_zones_were_looked_at_before(
    name: str, bundle: Bundle, rows: Floats | None, crops: np.ndarray
) -> None:
    engine, width = make_engine(name, bundle, threads=1), bundle.info.width
    every: list[tuple[Zone, ...]] = [("eyewear",), ("lower_face", "eyewear"), (), ("cheeks",)]
    for zones in every:
        selection = every_view(zones, 2)
        wanted = engine.outputs(selection.and_crops(crops[:2], bundle.info.trunk.spec.fill_rgb))
        tolerance = {"atol": 1e-4 * float(np.abs(wanted).max())}
        np.testing.assert_allclose(engine.outputs(crops[:2], selection), wanted, **tolerance)
        outputs, saliency = engine.outputs_and_saliency(crops[:2], rows, 99.0, selection)
        np.testing.assert_allclose(outputs, wanted, **tolerance)
        assert saliency.shape == (2, 32, 32)
    nothing = every_view(("eyewear",), 0)
    assert engine.outputs(crops[:0], nothing).shape == (0, width)
    found = engine.outputs_and_saliency(crops[:0], rows, 99.0, nothing)
    assert [part.shape for part in found] == [(0, width), (0, 32, 32)]


def test_an_answer_is_not_overwritten_by_the_next(engine: Engine, rows: Floats | None, crops: np.ndarray) -> None:
    outputs, saliency = engine.outputs_and_saliency(crops[:1], rows, 99.0)
    kept = outputs.copy(), saliency.copy()
    engine.outputs_and_saliency(crops[1:2], rows, 99.0)
    assert np.array_equal(kept[0], outputs)
    assert np.array_equal(kept[1], saliency)


def test_an_engine_says_what_runs(narrow_bundle: Bundle) -> None:
    assert "(CPUExecutionProvider, float32)" in make_engine("onnxruntime-cpu", narrow_bundle).name
    assert "(CPUExecutionProvider, int8)" in make_engine("onnxruntime-int8", narrow_bundle).name


def test_an_unknown_engine_is_refused_with_the_known_ones(narrow_bundle: Bundle) -> None:
    with pytest.raises(BadInput, match=r"known are auto, torch, onnxruntime"):
        make_engine("tensorflow", narrow_bundle)


def test_openvino_that_is_not_installed_is_refused(narrow_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BadInput, match="pip install openvino"):
        openvino_module.OpenVinoEngine(narrow_bundle)


def test_what_only_explains_loads_no_classifier_and_keeps_no_copy_of_its_graph(
    narrow_gallery_bundle: Bundle, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[bytes] = []

    def counted(graph: bytes, **settings: Any) -> Any:
        loaded.append(graph)
        return open_session(graph, **settings)

    monkeypatch.setattr(onnxruntime_engine, "open_session", counted)
    engine = make_engine("onnxruntime-int8", narrow_gallery_bundle, threads=1)
    assert narrow_gallery_bundle.gallery is not None
    rows = narrow_gallery_bundle.gallery.rows(0)
    explained = [engine.outputs_and_saliency(crops[:1], rows, 99.0)[0] for _ in range(2)]
    assert len(loaded) == 1
    holders = sys.getrefcount(loaded[0])
    assert holders == 2  # the list, and that call
    np.testing.assert_allclose(engine.outputs(crops[:1]), explained[0], rtol=1e-4, atol=1e-4)
    assert len(loaded) == 2

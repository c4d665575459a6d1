"""Another engine, added through the registry alone and run from a configuration's name for it to a decision.

A real one is the file with its class, and its row in the registry.
"""

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from models import load_recogniser
from models.engines import base, registry
from models.errors import BadInput
from realtime.commands.identify import identify_photo
from realtime.settings.config import load_config


class Abacus:
    """Counts with the bundle's own module; no pixel drives its decisions more than others."""

    name = "abacus 1.0"

    def __init__(self, bundle):
        self._model, self._fill = bundle.torch_model(), bundle.info.trunk.spec.fill_rgb

    def outputs(self, crops, selection=None):
        crops = selection.and_crops(crops, self._fill) if selection else crops
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            return self._model(pixels).numpy()

    def outputs_and_saliency(self, crops, rows, percentile, selection=None):
        if selection:
            return base.with_views_apart(self, crops, rows, percentile, selection, self._fill)
        return self.outputs(crops), np.zeros(crops.shape[:3], np.float32)


@pytest.fixture
def abacus(monkeypatch):
    def load(bundle, kind, threads, strict):
        return Abacus(bundle)

    monkeypatch.setitem(registry.ENGINES, "abacus", registry.Kind(load, "numpy"))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), astronaut()[:256, 96:352, ::-1])
    return path


def test_a_configuration_names_it_and_a_photograph_is_decided_by_it(abacus, small_bundle, photo, tmp_path):
    (tmp_path / "my.yaml").write_text(f"recognition: {{engine: abacus, bundle: {small_bundle.folder}}}")
    config = load_config(tmp_path / "my.yaml")
    found = identify_photo(photo, config)
    usual = config.recognition.model_copy(update={"engine": "onnxruntime-cpu"})
    other = identify_photo(photo, config.model_copy(update={"recognition": usual}))
    assert found["engine"] == "abacus 1.0"
    (face,), (same,) = found["faces"], other["faces"]
    assert face["raw"]["name"] == same["raw"]["name"]
    assert face["raw"]["probability"] == pytest.approx(same["raw"]["probability"], abs=1e-4)


def test_its_views_and_masks_give_what_those_of_others_give(abacus, small_bundle):
    side = small_bundle.info.input_size
    crops = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    mine, other = (load_recogniser(small_bundle.folder, name) for name in ("abacus", "torch"))
    np.testing.assert_allclose(mine.classify(crops), other.classify(crops), atol=1e-5)
    np.testing.assert_allclose(mine.view(crops), other.view(crops), atol=1e-5)
    assert not mine.defend(crops).saliency.any()


def test_without_its_row_there_is_none(small_bundle):
    with pytest.raises(BadInput, match="engine 'abacus': no such engine; known are auto, "):
        load_recogniser(small_bundle.folder, "abacus")

"""The export command on a small bundle."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.bundle import Bundle
from models.errors import BadInput
from tools.maintain.export_onnx import checked


def test_it_compares_with_torch_and_writes_a_classifier_that_runs(small_bundle: Bundle, tmp_path: Path) -> None:
    found = checked(str(small_bundle.folder), tmp_path / "out.onnx", crops=4)
    assert 0 <= found["largest_logit_difference"] < 1e-3
    pixels = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = small_bundle.torch_model()(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).numpy()
    np.testing.assert_allclose(session.run(None, {"crops": pixels})[0], wanted, rtol=1e-3, atol=1e-3)


def test_a_name_that_is_no_onnx_file_is_refused(small_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"end in \.onnx"):
        checked(str(small_bundle.folder), tmp_path / "out.bin", crops=1)

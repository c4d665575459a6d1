"""The converted nets against facenet-pytorch's own, and the cache they live in."""

import numpy as np
import onnxruntime
import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

from realtime.faces import mtcnn_nets
from realtime.faces.mtcnn_nets import load_net


def run(model: bytes, pixels: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"pixels": pixels})


def pictures(*shape: int) -> tuple[np.ndarray, torch.Tensor]:
    """The same random pixels as our nets (BGR, 0-255) and as facenet-pytorch's (RGB, normalised) take them."""
    bgr = np.random.default_rng(7).integers(0, 256, shape).astype(np.float32)
    return bgr, (torch.from_numpy(bgr[:, ::-1].copy()) - 127.5) / 128


@pytest.mark.parametrize("size", [(12, 12), (13, 17), (40, 31), (64, 97)])
def test_the_first_net_answers_as_facenet_pytorchs_does(size):
    ours, theirs = pictures(1, 3, *size)
    (cells,) = run(load_net("p"), ours)
    with torch.no_grad():
        offsets, scores = PNet()(theirs)
    assert cells.shape == (1, 6, *scores.shape[2:])
    np.testing.assert_allclose(torch.softmax(torch.from_numpy(cells[:, :2]), 1), scores, atol=2e-5)
    np.testing.assert_allclose(cells[:, 2:], offsets, atol=2e-5)


def test_the_second_net_answers_as_facenet_pytorchs_does():
    ours, theirs = pictures(5, 3, 24, 24)
    logits, offsets = run(load_net("r"), ours)
    with torch.no_grad():
        expected_offsets, scores = RNet()(theirs)
    np.testing.assert_allclose(torch.softmax(torch.from_numpy(logits), 1), scores, atol=2e-5)
    np.testing.assert_allclose(offsets, expected_offsets, atol=2e-5)


def test_the_third_net_answers_as_facenet_pytorchs_does():
    ours, theirs = pictures(5, 3, 48, 48)
    logits, offsets, points = run(load_net("o"), ours)
    with torch.no_grad():
        expected_offsets, expected_points, scores = ONet()(theirs)
    np.testing.assert_allclose(torch.softmax(torch.from_numpy(logits), 1), scores, atol=2e-5)
    np.testing.assert_allclose(offsets, expected_offsets, atol=2e-5)
    np.testing.assert_allclose(points, expected_points, atol=2e-5)


def test_a_kept_net_is_not_built_again(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTACLEAR_CACHE", str(tmp_path))
    first = load_net("r")
    monkeypatch.setattr(mtcnn_nets, "build_net", lambda *_: pytest.fail("built again"))
    assert load_net("r") == first
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == ["mtcnn_r"]

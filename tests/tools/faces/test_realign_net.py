"""The net of the second look sees in training what it sees live, and the graph is the net."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from realtime.faces.realign import SIDE, window
from tools.faces.realign_net import RealignNet, exported, loaded, seen


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def test_the_net_is_shown_in_training_what_it_sees_live():
    crops = pictures(2)
    live = torch.from_numpy(window(crops)).permute(0, 3, 1, 2).float()
    levels = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(seen(levels), (live - 127.5) / 128)


def test_the_graph_says_what_the_net_says():
    torch.manual_seed(0)
    net = RealignNet().eval()
    session = onnxruntime.InferenceSession(exported(net), providers=["CPUExecutionProvider"])
    pixels = window(pictures(3))
    (found,) = session.run(None, {"pixels": pixels})
    with torch.no_grad():
        wanted = net((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127.5) / 128).numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    again = loaded(exported(net))(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 128 - 127.5 / 128)
    np.testing.assert_allclose(found, again.numpy(), atol=1e-4)

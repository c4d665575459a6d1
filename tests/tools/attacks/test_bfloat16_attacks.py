"""Gradients in bfloat16."""

from __future__ import annotations

import torch

from tools.attacks.half_precision import HalfPrecision


def test_a_network_in_half_precision_says_nearly_the_same_and_gives_gradients(monkeypatch):
    monkeypatch.setattr("models.training.half_precision.has_bfloat16", lambda: True)  # emulated where absent
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(1800, 4))
    pixels = torch.rand(2, 3, 17, 17, requires_grad=True)
    wanted, found = net(pixels), HalfPrecision(net)(pixels)
    assert found.dtype == torch.float32
    assert 0 < (found - wanted).abs().max() < 0.02
    slopes = [torch.autograd.grad(logits.sum(), pixels)[0].flatten() for logits in (found, wanted)]
    assert torch.cosine_similarity(*slopes, dim=0) > 0.99

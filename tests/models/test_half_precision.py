"""bfloat16 where the CPU has it, float32 with a warning where it has not."""

import warnings

import pytest
import torch
from torch import nn

from models import half_precision
from models.half_precision import bfloat16, has_bfloat16


@pytest.fixture(autouse=True)
def ask_again():
    has_bfloat16.cache_clear()
    yield
    has_bfloat16.cache_clear()


def computed_in(enabled: bool) -> torch.dtype:
    with bfloat16(enabled):
        return nn.Linear(4, 4)(torch.ones(1, 4)).dtype


def test_a_cpu_that_can_computes_in_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert computed_in(True) == torch.bfloat16
    assert computed_in(False) == torch.float32


def test_a_cpu_that_cannot_uses_float32_and_says_so_once(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.warns(UserWarning, match="no bfloat16 instructions"):
        assert computed_in(True) == torch.float32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed_in(True) == torch.float32


def test_who_does_not_ask_for_it_is_not_warned(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed_in(False) == torch.float32
    assert half_precision.has_bfloat16.cache_info().currsize == 0

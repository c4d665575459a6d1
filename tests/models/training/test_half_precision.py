"""bfloat16 where the CPU has it, float32 with a warning where it has not."""

import platform
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from models.training import half_precision
from models.training.half_precision import _X86_ASKS, bfloat16, has_bfloat16


@pytest.fixture(autouse=True)
def ask_again():
    has_bfloat16.cache_clear()
    yield
    has_bfloat16.cache_clear()


def computed_in(enabled: bool) -> torch.dtype:
    with bfloat16(enabled):
        return nn.Linear(4, 4)(torch.ones(1, 4)).dtype


def has(monkeypatch: pytest.MonkeyPatch, *, instructions: bool) -> None:
    monkeypatch.setattr(half_precision, "_has_instructions", lambda: instructions)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists() or not hasattr(torch.cpu, _X86_ASKS[0]),
    reason="asks Linux what an x86 can",
)
def test_emulated_bfloat16_does_not_count():
    flags = set(Path("/proc/cpuinfo").read_text().split())
    assert half_precision._has_instructions() == bool(flags & {"avx512_bf16", "amx_tile"})


def test_an_x86_of_which_onednn_says_more_than_is_true_is_not_believed(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    for ask in _X86_ASKS:
        monkeypatch.setattr(torch.cpu, ask, lambda: False, raising=False)
    assert not half_precision._has_instructions()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert half_precision._has_instructions()


def test_a_cpu_that_can_computes_in_bfloat16(monkeypatch):
    has(monkeypatch, instructions=True)
    assert computed_in(True) == torch.bfloat16
    assert computed_in(False) == torch.float32


def test_a_cpu_that_cannot_uses_float32_and_says_so_once(monkeypatch):
    has(monkeypatch, instructions=False)
    with pytest.warns(UserWarning, match="no bfloat16 instructions"):
        assert computed_in(True) == torch.float32
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed_in(True) == torch.float32


def test_who_does_not_ask_for_it_is_not_warned(monkeypatch):
    has(monkeypatch, instructions=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed_in(False) == torch.float32
    assert half_precision.has_bfloat16.cache_info().currsize == 0

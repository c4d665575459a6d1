"""Computing in bfloat16, where it pays.

On GPUs; and on CPUs that have AVX-512 BF16, twice as fast. On others torch emulates bfloat16, several times slower
than float32, more than ten times on two cores of an AMD EPYC with AVX2: there float32 is used.
"""

from __future__ import annotations

import platform
import warnings
from contextlib import AbstractContextManager
from functools import cache

import torch

_X86_ASKS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


@cache
def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 at all; a warning is given once where it does not."""
    able = _has_instructions()
    if not able:
        warnings.warn("half precision: this CPU has no bfloat16 instructions, float32 is used", stacklevel=3)
    return able


def _has_instructions() -> bool:
    """Of an x86 oneDNN says that it supports bfloat16 from AVX-512 on, where it may only emulate it."""
    names = _X86_ASKS if platform.machine() in ("x86_64", "AMD64") else ()
    asks = [ask for name in names if (ask := getattr(torch.cpu, name, None)) is not None]
    try:
        return any(ask() for ask in asks or [torch.ops.mkldnn._is_mkldnn_bf16_supported])
    except (AttributeError, RuntimeError):  # a torch without oneDNN, or with another name for it
        return False


def bfloat16(enabled: bool = True, device: str = "cpu") -> AbstractContextManager[object]:
    """Within the block convolutions and matrix products on that ``device`` are computed in bfloat16, if it can."""
    able = enabled and (device != "cpu" or has_bfloat16())
    return torch.autocast(device, torch.bfloat16, enabled=able)

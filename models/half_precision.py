"""Computing in bfloat16, where it pays.

On GPUs; and on CPUs that have AVX-512 BF16, twice as fast. On a CPU without AVX-512 torch emulates bfloat16, more than
ten times slower on two cores of an AMD EPYC with AVX2: there float32 is used.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from functools import cache

import torch


@cache
def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 at all; a warning is given once where it does not."""
    try:
        able = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a torch without oneDNN, or with another name for it
        able = False
    if not able:
        warnings.warn("half precision: this CPU has no bfloat16 instructions, float32 is used", stacklevel=3)
    return able


def bfloat16(enabled: bool = True, device: str = "cpu") -> AbstractContextManager[object]:
    """Within the block convolutions and matrix products on that ``device`` are computed in bfloat16, if it can."""
    able = enabled and (device != "cpu" or has_bfloat16())
    return torch.autocast(device, torch.bfloat16, enabled=able)

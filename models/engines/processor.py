"""What this machine's processor is and can do."""

from __future__ import annotations

import hashlib
import platform
from functools import cache

#: Any of them: a product of a uint8 and an int8 is added in 32 bits (x86: VNNI and AMX, ARM: the dot product).
_WIDE_SUMS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})


@cache
def told() -> dict[str, str]:
    """What Linux tells of it, ``flags`` among others; empty elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            parts = [line.partition(":") for line in lines]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in parts}


def flags() -> frozenset[str]:
    """Its abilities, by Linux's names."""
    return frozenset(told().get("flags", told().get("Features", "")).split())  # x86, ARM


def name() -> str:
    """Names it and its abilities: a virtual machine may hide some of these."""
    if not told():
        return platform.processor()
    return f"{told().get('model name', '')} {hashlib.sha256(' '.join(sorted(flags())).encode()).hexdigest()[:12]}"


def sums_are_wide() -> bool:
    """Whether sums of products of bytes cannot saturate.

    Without VNNI two products of a uint8 and an int8 are added in 16 bits, in which 2 x 255 x 127 has no room.
    """
    return bool(_WIDE_SUMS & flags())

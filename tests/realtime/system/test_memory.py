"""How many places threads allocate from, as glibc itself tells it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

_MANY_THREADS = """
import ctypes, sys, threading
from realtime.system.memory import keep_few_arenas
if sys.argv[1] == "few":
    keep_few_arenas()
libc, all_there = ctypes.CDLL("libc.so.6"), threading.Barrier(9)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
def work():
    all_there.wait()
    libc.malloc(1000)
    all_there.wait()
threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
[thread.start() for thread in threads]
all_there.wait()
all_there.wait()
libc.fdopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]
stream = libc.fdopen(1, b"w")
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_all_threads_allocate_from_two_places() -> None:
    def arenas(how: str) -> int:
        told = subprocess.run([sys.executable, "-c", _MANY_THREADS, how], capture_output=True, text=True, check=True)
        return len(re.findall(r"<heap nr=", told.stdout))

    assert arenas("few") <= 2 < arenas("many")

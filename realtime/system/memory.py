"""Gives back memory that loading a model has left behind."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys

log = logging.getLogger(__name__)


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can be asked to (glibc); elsewhere nothing happens.

    Parsing and rearranging the weights takes several times their size, and glibc keeps what was freed below a
    block that is still in use: measured with the embedded bundle, 786 MB before and 579 MB after.
    """
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library, musl for one
        log.debug("this C library cannot be asked to give memory back")

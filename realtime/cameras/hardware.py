"""Opening a stream whose pictures an NVIDIA GPU decodes (NVDEC through PyAV), or the processor where it cannot.

Written and tested without such a GPU: that it falls back is measured, what it gains is not.
"""

from __future__ import annotations

import logging
from typing import Any

import av
import av.error
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from models.engines.providers import nvidia_driver

log = logging.getLogger(__name__)

#: What libav says where there is no such device.
_NO_DEVICE = (av.error.PermissionError, av.error.ExternalError, NotImplementedError)


def open_container(url: str, *, hardware: bool = False, **options: Any) -> InputContainer:
    """``av.open`` for reading; with ``hardware`` decoded on the GPU, copied back as pictures in memory.

    A codec that the GPU does not know is decoded on the processor. Raises what ``av.open`` raises.
    """
    if hardware and not nvidia_driver():
        log.warning("hardware_decode: there is no NVIDIA driver; the processor decodes")
    elif hardware:
        try:
            on_gpu: InputContainer = av.open(url, hwaccel=HWAccel("cuda", allow_software_fallback=True), **options)
            return on_gpu
        except _NO_DEVICE as error:
            log.warning("hardware_decode: the GPU cannot be used (%s); the processor decodes", type(error).__name__)
    opened: InputContainer = av.open(url, **options)
    return opened

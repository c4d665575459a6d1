"""Where torch computes: training and attacks take a GPU where there is one, the live pipeline runs in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from models.errors import BadInput, refuse_unknown

DeviceName = Literal["auto", "cpu", "cuda"]
CPU = torch.device("cpu")
DEVICES: tuple[DeviceName, ...] = get_args(DeviceName)


def torch_device(name: str = "auto") -> torch.device:
    """``auto`` is the GPU where torch sees one, otherwise the CPU.

    On a GPU float32 is then computed as float32: torch's default there is TF32 in convolutions, whose ten bits would
    move the edges of a saliency mask.

    Raises:
        BadInput: an unknown name, or a GPU asked for by name that torch does not see.
    """
    refuse_unknown("--device", name, known=DEVICES)
    seen = torch.cuda.is_available()
    if name == "cuda" and not seen:
        raise BadInput("--device cuda: torch sees no GPU here; leave it out, or install a torch with CUDA and a driver")
    if name == "cpu" or not seen:
        return CPU
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda")


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Within the block convolutions on a GPU compute in TF32 or not; then as before."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before

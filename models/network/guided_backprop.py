"""Guided backpropagation (Springenberg et al. 2014, "Striving for Simplicity"): the reference for everything faster.

A ReLU lets a gradient through only where its input was positive *and* the gradient is positive. All ReLUs
of the network count, the fully connected ones too: hooking the convolutions alone is off by a fifth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

_OTHER_RECTIFIERS = (
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Hardswish,
    nn.Hardtanh,
)
_CALLED_RECTIFIERS = {
    *(torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_, F.relu, F.relu6, F.leaky_relu),
    *(F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.softplus, F.hardswish, F.hardtanh),
}


class _NoCalledRectifier(TorchFunctionMode):
    """Refuses rectifiers that the model calls beside its modules: they would stay unguided, unnoticed."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _CALLED_RECTIFIERS:
            raise ValueError(
                f"guided backpropagation needs nn.ReLU modules and this model calls {func.__name__} itself: "
                "replace the call by a module, otherwise a part of the plain gradient would be returned unnoticed"
            )
        return func(*args, **(kwargs or {}))


class GuidedReLU(torch.autograd.Function):
    """ReLU whose backward pass also drops negative gradients."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        (gradient,) = gradients
        guided: torch.Tensor = gradient.clamp(min=0) * (x > 0)
        return guided


def _guided_forward(x: torch.Tensor) -> torch.Tensor:
    guided: torch.Tensor = GuidedReLU.apply(x)
    return guided


@contextmanager
def guided_relus(model: nn.Module) -> Iterator[nn.Module]:
    """Within the block every ``nn.ReLU`` of ``model`` is guided; afterwards, also after an exception, none is.

    Works on a model with any ReLU modules, shared ones included. A gradient's own gradient is zero nearly everywhere,
    since the gates are steps: attacks on the saliency soften them (``tools.attacks.guided_chain``).

    Raises:
        ValueError: no ``nn.ReLU`` module, a rectifier that is called and not a module (the plain gradient would
            be returned unnoticed), or another rectifier beside it, for which the method is not defined.
    """
    relus = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    if not relus:
        raise ValueError(
            "guided backpropagation needs nn.ReLU modules and this model has none: "
            "replace F.relu calls by modules, otherwise the plain gradient would be returned unnoticed"
        )
    others = {type(module).__name__ for module in model.modules() if isinstance(module, _OTHER_RECTIFIERS)}
    if others:
        raise ValueError(f"guided backpropagation is defined for ReLU only, this model also has {sorted(others)}")
    try:
        for relu in relus:
            relu.__dict__["forward"] = _guided_forward
        with _NoCalledRectifier():
            yield model
    finally:
        for relu in relus:
            relu.__dict__.pop("forward", None)


def guided_backprop(model: nn.Module, x: torch.Tensor, target: torch.Tensor | None = None) -> torch.Tensor:
    """Guided gradient of one logit per image with respect to the input.

    The model is used in the mode it is in (call ``eval()`` first) and is left as it was: no hook, no
    gradient on its parameters.

    Args:
        model: maps (N, ...) to logits (N, K); its non-linearities are ``nn.ReLU`` modules.
        x: (N, ...) input.
        target: (N,) index of the logit; None takes each image's largest.

    Returns:
        Gradient of the same shape as ``x``.

    Example:
        >>> gradient = guided_backprop(recogniser.torch_model(), crops)  # Nx3x112x112
    """
    x = x.detach().requires_grad_(True)
    with guided_relus(model), torch.enable_grad():
        logits = model(x)
        if target is None:
            target = logits.argmax(dim=1)
        chosen = logits.gather(1, target.view(-1, 1)).sum()
        (gradient,) = torch.autograd.grad(chosen, x)
    return gradient.detach()

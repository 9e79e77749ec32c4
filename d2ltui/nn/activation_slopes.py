"""Activations with their derivatives, for gradients that are written out: PyTorch's own, as autograd takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Back = Callable[[Tensor, Tensor, Tensor], object]
_aten = torch.ops.aten


class Slope(NamedTuple):
    """An activation and its derivative.

    `function(z)` is it; `into(z, out)` the same into `out`, which is `z` itself where `in_place`. `back(gradient, z,
    out)` multiplies `gradient` by the derivative; where `in_place`, `z` is overwritten and only `out` counts.
    """

    function: Callable[[Tensor], Tensor]
    into: Callable[[Tensor, Tensor], Tensor]
    back: Back
    in_place: bool


def _leaky_relu(z: Tensor, out: Tensor) -> Tensor:
    return torch.nn.functional.leaky_relu_(z)


def _elu(z: Tensor, out: Tensor) -> Tensor:
    return torch.nn.functional.elu_(z)


def _silu(z: Tensor, out: Tensor) -> Tensor:
    result: Tensor = _aten.silu.out(z, out=out)
    return result


def _gelu(z: Tensor, out: Tensor) -> Tensor:
    result: Tensor = _aten.gelu.out(z, out=out)
    return result


_KNOWN: dict[str, Slope] = {
    "identity": Slope(lambda z: z, lambda z, out: z, lambda g, z, out: g, True),
    "sigmoid": Slope(
        torch.sigmoid,
        lambda z, out: z.sigmoid_(),
        lambda g, z, out: _aten.sigmoid_backward.grad_input(g, out, grad_input=g),
        True,
    ),
    "tanh": Slope(
        torch.tanh,
        lambda z, out: z.tanh_(),
        lambda g, z, out: _aten.tanh_backward.grad_input(g, out, grad_input=g),
        True,
    ),
    "relu": Slope(
        torch.relu,
        lambda z, out: z.relu_(),
        lambda g, z, out: _aten.threshold_backward.grad_input(g, out, 0, grad_input=g),
        True,
    ),
    "leaky-relu": Slope(
        torch.nn.functional.leaky_relu,
        _leaky_relu,
        lambda g, z, out: _aten.leaky_relu_backward.grad_input(g, out, 0.01, True, grad_input=g),
        True,
    ),
    "elu": Slope(
        torch.nn.functional.elu,
        _elu,
        lambda g, z, out: _aten.elu_backward.grad_input(g, 1.0, 1.0, 1.0, True, out, grad_input=g),
        True,
    ),
    "gelu": Slope(
        torch.nn.functional.gelu,
        _gelu,
        lambda g, z, out: _aten.gelu_backward.grad_input(g, z, grad_input=g),
        False,
    ),
    "silu": Slope(
        torch.nn.functional.silu,
        _silu,
        lambda g, z, out: _aten.silu_backward.grad_input(g, z, grad_input=g),
        False,
    ),
}


def known_slopes() -> tuple[str, ...]:
    """The activations whose derivatives stand here."""
    return tuple(_KNOWN)


def slope_of(activation: str) -> Slope:
    """Of the activation that is called so, one of `known_slopes`."""
    return _KNOWN[activation]

"""An activation function of another package, in one file: what somebody writes who wants to add one."""

from __future__ import annotations

import torch
from torch import Tensor

from d2ltui.spec.activations import Activation


def mish(x: Tensor) -> Tensor:
    """x · tanh(log(1 + eˣ)) (Misra, 2019)."""
    return x * torch.tanh(torch.nn.functional.softplus(x))


MISH = Activation("mish", "Mish", "x · tanh(log(1 + eˣ)), a smooth ReLU", "torch.nn:Mish", "mish_plugin:mish")
# Of a list of which one cannot be offered, none is.
TAKEN = [
    Activation("halfway", "Halfway", "x / 2", "torch.nn:Identity"),
    Activation("relu", "ReLU", "x", "torch.nn:ReLU"),
]

"""A linear layer in the form that is computed fastest here: the same function, the same parameters.

`python -m tests.benchmarks accel` measures what is gained, against the plain layer, in turns. (A weight kept by column,
so that MKL need not transpose it, gained nothing: 0.83 to 0.97 of the plain layer's speed for 784-256-10.)
"""

from __future__ import annotations

import torch
from torch import nn

from d2ltui.nn.accel.onednn import LARGE, OneDNNLinear, onednn_is_faster


def accelerate(linear: nn.Linear, *, batch_size: int, device: torch.device | str) -> nn.Linear:
    """`linear` itself, or what computes the same sooner for batches of `batch_size` on `device`, with its parameters.

    Large float32 products by oneDNN, where that is the faster library: an epoch of the book's MLP on Fashion-MNIST then
    takes two thirds of the time.
    """
    products = batch_size * linear.in_features * linear.out_features
    fits = torch.device(device).type == "cpu" and linear.weight.dtype == torch.float32
    if not fits or products < LARGE or not onednn_is_faster():
        return linear
    # Without memory or random numbers of its own: it gets the parameters of the other.
    fast = OneDNNLinear(linear.in_features, linear.out_features, device="meta", dtype=linear.weight.dtype)
    fast.weight, fast.bias = linear.weight, linear.bias
    return fast

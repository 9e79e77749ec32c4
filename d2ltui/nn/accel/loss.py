"""`nn.functional.mse_loss` without what it does around its kernel: looking for other kinds of tensors, broadcasting.

That takes 12 µs, three times as long as the kernel. Outputs and targets of ours are plain tensors of one shape.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

_MEAN = 1  # as PyTorch's kernels number what becomes of the squared errors: none, their mean, their sum


def mse_loss(output: Tensor, y: Tensor) -> Tensor:
    """The mean of (output − y)² over a batch, a scalar (section 3.5); `output`, `y` (n, q).

    Tensors of different shapes are left to PyTorch, which says what it thinks of them.
    """
    kernel = _kernel()
    if kernel is None or output.shape != y.shape or not type(output) is type(y) is Tensor:
        return nn.functional.mse_loss(output, y)
    return kernel(output, y, _MEAN)


@functools.cache
def _kernel() -> Callable[..., Tensor] | None:
    """PyTorch's, which is not part of its public interface; None where it is not there or is another one."""
    output, y = torch.tensor([[1.0], [4.0]]), torch.tensor([[0.0], [1.0]])
    try:
        kernel: Callable[..., Tensor] = torch._C._nn.mse_loss
        works = torch.equal(kernel(output, y, _MEAN), torch.tensor(5.0))
    except (AttributeError, RuntimeError, TypeError):
        return None
    return kernel if works else None

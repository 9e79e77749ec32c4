"""`loss.backward()` without what PyTorch's Python does around its engine: the same engine, the same gradients.

What it asks of every call (which subclass of tensor, which shapes, which inputs, whether to log) takes 40 µs, a quarter
of linear regression's step. A loss of ours is a scalar of a plain tensor on the CPU, or is left to PyTorch.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.autograd import Variable


def backward(loss: Tensor) -> None:
    """Adds the gradients of `loss`, a scalar, to `.grad` of every parameter that it was computed from.

    Raises:
        RuntimeError: as `loss.backward()`.
    """
    if type(loss) is not Tensor or loss.dim() or loss.device.type != "cpu" or not _engine_works():
        loss.backward()  # type: ignore[no-untyped-call]
        return
    _run(loss)


def _run(loss: Tensor) -> None:
    """Roots, their gradients, keep_graph, create_graph, inputs, allow_unreachable, accumulate_grad."""
    Variable._execution_engine.run_backward((loss,), (_one(loss.dtype),), False, False, (), True, True)


@functools.cache
def _one(dtype: torch.dtype) -> Tensor:
    """The derivative of a scalar by itself. The engine changes nothing that somebody else holds, too."""
    return torch.ones((), dtype=dtype)


@functools.cache
def _engine_works() -> bool:
    """Whether PyTorch's engine, which is not part of its public interface, takes what it took."""
    x = torch.arange(3.0, requires_grad=True)
    try:
        with torch.enable_grad():
            _run((x * x).sum())
    except (AttributeError, RuntimeError, TypeError):
        return False
    return x.grad is not None and torch.equal(x.grad, torch.tensor([0.0, 2.0, 4.0]))

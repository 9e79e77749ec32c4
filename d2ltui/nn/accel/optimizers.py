"""torch.optim's optimisers without what PyTorch's compiler and profiler want of them.

The first optimiser imports the compiler, which takes 1.5 s, and every step enters a profiler's range and looks for
hooks: without, a small network's step takes a sixth less. Nothing here is compiled or profiled, and nobody hooks in.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

from d2ltui.nn.accel.compiler import import_compiler

# PyTorch refuses to multiply a float32 tensor with a number that is larger than any of its own, whatever becomes of it.
# Adam divides the learning rate by 0.1 first.
LARGEST_FACTOR = torch.finfo(torch.float32).max / 16

T = TypeVar("T", bound=Optimizer)


class Uncompiled(Optimizer):
    """Put before one of torch.optim's classes: the same groups, state and update."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        made_of = next(kind for kind in type(self).__mro__ if kind.__module__.startswith("torch.optim."))
        assert issubclass(made_of, Optimizer)
        # What torch's decorators have been put around: the hooks, the profiler, the compiler's break.
        self._undecorated = inspect.unwrap(made_of.step)

    def step(self, closure: Any = None) -> Any:
        """Moves the parameters; `closure` is torch.optim's."""
        with torch.no_grad():
            return self._undecorated(self, closure)

    step.hooked = True  # type: ignore[attr-defined]  # which says that PyTorch need not wrap it

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients."""
        for group in self.param_groups:
            for param in group["params"]:
                param.grad = None

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch.optim's."""
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)

    def state_dict(self) -> dict[str, Any]:
        """As torch.optim's."""
        state: dict[str, Any] = inspect.unwrap(Optimizer.state_dict)(self)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch.optim's."""
        inspect.unwrap(Optimizer.load_state_dict)(self, state_dict)


@functools.cache
def uncompiled(optimizer: Callable[..., T]) -> Callable[..., T]:
    """The same optimiser without the compiler, where it is one of torch.optim's own; any other as it is."""
    if isinstance(optimizer, type) and optimizer.__module__.startswith("torch.optim."):
        return type(optimizer.__name__, (Uncompiled, optimizer), {})
    import_compiler()  # which its first instance would
    return optimizer


class PlainSGD(Uncompiled, torch.optim.SGD):
    """`torch.optim.SGD` without momentum.

    torch's own step sorts the tensors by device and dtype, besides what `Uncompiled` leaves out: 50 to 70 µs of a step,
    while linear regression's forward and backward pass take 80. The update is that of torch's own `foreach`: all
    parameters in one call.

    Without weight decay it moves the parameters as torch.optim.SGD does, bit for bit. Weight decay shrinks the weights
    in place, by 1 − ηλ, before the gradient moves them: torch adds λw to a copy of every gradient. That is the same
    formula, w − η(g + λw), rounded elsewhere: the two agree to within a few units in the last place per step.
    """

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Moves every parameter that has a gradient against it; `closure` is torch.optim's."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            if not params:
                continue
            if group["weight_decay"] != 0:
                torch._foreach_mul_(params, bounded(1 - group["lr"] * group["weight_decay"]))
            torch._foreach_add_(params, [param.grad for param in params], alpha=-group["lr"])
        return loss

    step.hooked = True  # type: ignore[attr-defined]


def bounded(value: float) -> float:
    """`value`, or the largest that a tensor can be multiplied with: with either, no run comes to anything."""
    return max(-LARGEST_FACTOR, min(value, LARGEST_FACTOR))

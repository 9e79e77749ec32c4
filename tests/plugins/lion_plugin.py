"""An optimiser and an initialisation of another package, in one file."""

from __future__ import annotations

from collections.abc import Callable

import torch

from d2ltui.spec.inits import InitSpec
from d2ltui.spec.optimizers import OptimizerSpec


class SignDescent(torch.optim.Optimizer):
    """Lion (Chen and others, 2023): steps of one length, in the direction of a momentum's signs."""

    def __init__(self, params, lr: float, momentum: float = 0.9, weight_decay: float = 0.0) -> None:  # type: ignore[no-untyped-def]
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                mean = state.setdefault("mean", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - group["momentum"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * mean.sign())


LION = OptimizerSpec(
    "lion", "steps in the direction of the momentum's signs", "lion_plugin:SignDescent", lr=0.001,
    fields=("momentum",), states=1,
)  # fmt: skip


def orthogonal(weight, bias, fan_in, fan_out, generator, params):  # type: ignore[no-untyped-def]
    """Rows, or columns, at right angles (Saxe and others, 2013)."""
    torch.nn.init.orthogonal_(weight, gain=2**0.5, generator=generator)


ORTHOGONAL = InitSpec("orthogonal", "weights at right angles, biases zero", "lion_plugin:orthogonal")

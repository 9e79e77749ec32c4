"""Optimisers that read their learning rate, and all else that changes from step to step, on the device.

A graph of a step keeps every number that Python has given to a kernel: these give it none that changes. The state, its
names and the saved form are torch.optim's: a run goes on with either kind.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from d2ltui.nn.accel.optimizers import Uncompiled


class OnDevice(Uncompiled):
    """Put before one of torch.optim's classes, whose rate it keeps as a scalar on the device of the parameters."""

    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        self._rates: list[Tensor] = []
        super().__init__(params, lr=lr, **options)
        self._keep_rates()

    def _keep_rates(self) -> None:
        """One tensor for each group; those that there are stay, for graphs read them."""
        kept = self._rates
        for index, group in enumerate(self.param_groups):
            first = group["params"][0]
            if index == len(kept):
                kept.append(torch.zeros((), dtype=torch.float32, device=first.device))
            kept[index].fill_(float(group["lr"]))
            group["lr"] = kept[index]

    def set_lr(self, lr: float) -> None:
        """Another rate from the next launch on; nothing waits for the device."""
        for rate in self._rates:
            rate.fill_(lr)

    def state_dict(self) -> dict[str, Any]:
        """torch.optim's: rates are numbers there."""
        state = super().state_dict()
        groups = [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]
        return {**state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from `state_dict()`, this kind's or torch.optim's."""
        super().load_state_dict(state_dict)
        for parameter, state in self.state.items():
            if isinstance(step := state.get("step"), Tensor):
                state["step"] = step.to(parameter.device, torch.float32)  # which torch.optim keeps on the CPU
        self._keep_rates()


class _Foreach(OnDevice):
    """For all parameters of a group at once, by PyTorch's operations on lists of tensors."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Moves every parameter that has a gradient; `closure` is torch.optim's."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            params = [parameter for parameter in group["params"] if parameter.grad is not None]
            if params:
                gradients: list[Tensor] = [parameter.grad for parameter in params]
                if group["weight_decay"] != 0:
                    gradients = list(torch._foreach_add(gradients, params, alpha=group["weight_decay"]))
                self._update(group, params, gradients)
        return loss

    step.hooked = True  # type: ignore[attr-defined]  # which says that PyTorch need not wrap it

    def _update(self, group: dict[str, Any], params: list[Tensor], gradients: list[Tensor]) -> None:
        raise NotImplementedError

    def _states(self, params: list[Tensor], name: str) -> list[Tensor]:
        for parameter in params:
            state = self.state[parameter]
            if "step" not in state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            if name not in state:
                state[name] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        torch._foreach_add_([self.state[parameter]["step"] for parameter in params], 1)
        return [self.state[parameter][name] for parameter in params]


class Adagrad(_Foreach, torch.optim.Adagrad):
    """`torch.optim.Adagrad` without a decay of the rate."""

    def __init__(self, params: Any, lr: float, **options: Any) -> None:
        super().__init__(params, lr, **options)
        for parameter, state in self.state.items():
            state["step"] = state["step"].to(parameter.device)

    def _update(self, group: dict[str, Any], params: list[Tensor], gradients: list[Tensor]) -> None:
        sums = self._states(params, "sum")
        torch._foreach_addcmul_(sums, gradients, gradients, value=1)
        _descend(params, gradients, sums, group)


class RMSprop(_Foreach, torch.optim.RMSprop):
    """`torch.optim.RMSprop` without momentum, not centred."""

    def _update(self, group: dict[str, Any], params: list[Tensor], gradients: list[Tensor]) -> None:
        averages = self._states(params, "square_avg")
        torch._foreach_mul_(averages, group["alpha"])
        torch._foreach_addcmul_(averages, gradients, gradients, value=1 - group["alpha"])
        _descend(params, gradients, averages, group)


def _descend(params: list[Tensor], gradients: list[Tensor], squares: list[Tensor], group: dict[str, Any]) -> None:
    """p ← p − η · g / (√s + ε)."""
    scale = torch._foreach_sqrt(squares)
    torch._foreach_add_(scale, group["eps"])
    torch._foreach_div_(scale, -group["lr"])
    torch._foreach_addcdiv_(params, gradients, scale)


class SGD(OnDevice, torch.optim.SGD):
    """`torch.optim.SGD`, whose fused kernel reads the rate on the device."""


class Adam(OnDevice, torch.optim.Adam):
    """`torch.optim.Adam`, whose fused kernel reads rate and number of the step on the device."""


class AdamW(OnDevice, torch.optim.AdamW):
    """`torch.optim.AdamW`, in the same way."""


# By torch.optim's class: what does the same on the device, and the options that it takes for it.
ON_DEVICE: dict[type[Optimizer], tuple[type[OnDevice], dict[str, Any]]] = {
    torch.optim.SGD: (SGD, {"fused": True}),
    torch.optim.Adagrad: (Adagrad, {}),
    torch.optim.RMSprop: (RMSprop, {}),
    torch.optim.Adam: (Adam, {"fused": True, "capturable": True}),
    torch.optim.AdamW: (AdamW, {"fused": True, "capturable": True}),
}

"""Optimisers: torch.optim's for concise models, the book's own SGD from scratch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch

from d2ltui.nn.accel.kernels import select_kernel
from d2ltui.nn.accel.on_device import ON_DEVICE, OnDevice
from d2ltui.nn.accel.optimizers import PlainSGD, bounded, uncompiled
from d2ltui.nn.functional import SGD, clip_gradients
from d2ltui.nn.network import Network
from d2ltui.spec.config import RunConfig
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.registry import load_object

# What of a group of torch.optim's says how the update is computed, and not which.
_KERNELS = ("fused", "foreach")


def torch_optimizer(config: RunConfig) -> Callable[..., torch.optim.Optimizer]:
    """What makes the optimiser that `config` names: a class of torch.optim's, or a plug-in's, with its options."""
    spec = OPTIMIZERS[config.optimizer]
    given = {name: getattr(config, name) for name in spec.fields}
    return partial(uncompiled(load_object(spec.make)), **spec.options, **given)


def make_clip(config: RunConfig, network: Network) -> Callable[[], object] | None:
    """What keeps the gradient's norm below the run's `clip_norm` between its computation and its use; None where any
    norm is welcome (section 9.5).
    """
    if config.clip_norm == 0:
        return None
    parameters = list(network.parameters())
    if config.implementation != "scratch":
        return partial(torch.nn.utils.clip_grad_norm_, parameters, config.clip_norm)
    return partial(clip_gradients, parameters, config.clip_norm)


class Optimizer(Protocol):
    """What `functional.SGD` and torch.optim's have in common."""

    def step(self) -> Any:
        """Moves the parameters."""

    def zero_grad(self) -> None:
        """Forgets the gradients."""

    def state_dict(self) -> dict[str, Any]:
        """What there is to save."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Goes on from what was saved."""


def make_optimizer(config: RunConfig, network: Network) -> Optimizer:
    """The optimiser that `config` names, over `network`. Weight decay concerns weights, not biases.

    Raises:
        ValueError: where a network from scratch is to have another than SGD.
    """
    if config.implementation == "scratch":
        if not OPTIMIZERS[config.optimizer].from_scratch:
            raise ValueError(f"optimizer: '{config.optimizer}' is not allowed; allowed: from scratch, sgd")
        return SGD(network.parameters(), config.lr)
    params, lr = _groups(config, network), bounded(config.lr)
    update = select_kernel(config.optimizer, next(network.parameters()).device.type)
    if update == "plain":
        return PlainSGD(params, lr)
    # AdamW, alone among them, has a weight decay of its own where none is given.
    make = partial(torch_optimizer(config), params, lr=lr, weight_decay=0.0)
    if update == "fused":
        try:
            return make(fused=True)
        except RuntimeError:  # older versions have not every fused kernel for every device
            pass
    return make()


def _groups(config: RunConfig, network: Network) -> list[Any]:
    params: list[Any] = list(network.parameters())
    weight_decay = bounded(config.weight_decay)
    if weight_decay > 0:
        return [
            {"params": network.decaying_parameters(), "weight_decay": weight_decay},
            {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0},
        ]
    return params


def make_device_optimizer(config: RunConfig, network: Network) -> Optimizer | None:
    """The same optimiser, which reads its rate on the device, as a graph has to; None where there is none."""
    lr = bounded(config.lr)
    if config.implementation == "scratch":
        device = next(network.parameters()).device
        return SGD(network.parameters(), torch.tensor(lr, dtype=torch.float32, device=device))
    spec = OPTIMIZERS[config.optimizer]
    make, options = ON_DEVICE.get(load_object(spec.make), (None, {}))
    if make is None:
        return None
    given = {name: getattr(config, name) for name in spec.fields}
    try:
        return make(_groups(config, network), lr, weight_decay=0.0, **spec.options, **given, **options)
    except RuntimeError:  # a fused kernel that this version of PyTorch has not for this device
        return None


def reads_rate_on_device(optimizer: Optimizer) -> bool:
    """Whether a rate that `set_lr` sets is read by graphs of the optimiser's steps."""
    return isinstance(optimizer, OnDevice) or (isinstance(optimizer, SGD) and isinstance(optimizer.lr, torch.Tensor))


def load_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Let `optimizer` go on from a `state_dict()`, which another device's may have been.

    Which kernels it has the state does not say: those that were chosen for this device stay.

    Raises:
        ValueError, TypeError, KeyError: where the state is another optimiser's.
    """
    if isinstance(optimizer, torch.optim.Optimizer):
        # Before it is loaded, not after: a fused kernel wants its count of steps where the parameters are.
        kernels = [{name: group.get(name) for name in _KERNELS} for group in optimizer.param_groups]
        for kept, group in zip(kernels, optimizer.param_groups, strict=True):
            if "capturable" in group:  # which not every optimiser knows
                kept["capturable"] = group["capturable"]
        groups = state["param_groups"]
        if len(groups) == len(kernels):  # else PyTorch says what is wrong
            state = {**state, "param_groups": [{**a, **b} for a, b in zip(groups, kernels, strict=True)]}
    optimizer.load_state_dict(state)


def get_lr(optimizer: Optimizer) -> float:
    """The learning rate now."""
    if isinstance(optimizer, SGD):
        return float(optimizer.lr)
    assert isinstance(optimizer, torch.optim.Optimizer)
    return float(optimizer.param_groups[0]["lr"])


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Another learning rate from the next step on."""
    if isinstance(optimizer, SGD):
        optimizer.set_lr(lr)
        return
    if isinstance(optimizer, OnDevice):
        optimizer.set_lr(bounded(lr))
        return
    assert isinstance(optimizer, torch.optim.Optimizer)
    for group in optimizer.param_groups:
        group["lr"] = bounded(lr)

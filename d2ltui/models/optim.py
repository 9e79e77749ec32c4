"""Optimisers: torch.optim's for concise models, the book's own SGD from scratch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch

from d2ltui.config import RunConfig
from d2ltui.models.concise import ConciseNetwork
from d2ltui.models.functional import SGD
from d2ltui.models.network import Network

_TORCH_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
}


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
    if not isinstance(network, ConciseNetwork):
        if config.optimizer != "sgd":
            raise ValueError(f"optimizer: '{config.optimizer}' is not allowed; allowed: from scratch, sgd")
        return SGD(network.parameters(), config.lr)
    params: list[Any] = list(network.parameters())
    if config.weight_decay > 0:
        linear = network.linear_parameters()
        params = [
            {"params": [weight for _, weight, _ in linear], "weight_decay": config.weight_decay},
            {"params": [bias for _, _, bias in linear], "weight_decay": 0.0},
        ]
    make = partial(_TORCH_OPTIMIZERS[config.optimizer], params, lr=config.lr)
    # Of Adagrad, PyTorch before 2.7 has the fused kernel for the CPU only, and says so at the first step.
    fused = {"cpu": ("sgd", "momentum", "adagrad", "adam"), "cuda": ("sgd", "momentum", "adam")}
    if config.optimizer in fused.get(network.parameters()[0].device.type, ()):
        try:
            return make(fused=True)
        except RuntimeError:  # older versions have not every fused kernel for every device
            pass
    return make()


def get_lr(optimizer: Optimizer) -> float:
    """The learning rate now."""
    if isinstance(optimizer, SGD):
        return optimizer.lr
    assert isinstance(optimizer, torch.optim.Optimizer)
    return float(optimizer.param_groups[0]["lr"])


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Another learning rate from the next step on."""
    if isinstance(optimizer, SGD):
        optimizer.lr = lr
        return
    assert isinstance(optimizer, torch.optim.Optimizer)
    for group in optimizer.param_groups:
        group["lr"] = lr

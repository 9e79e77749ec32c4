"""Many runs of one network at once, each with a seed and a learning rate of its own: what a grid of rates needs.

Their weights are stacked, so that a small network's step costs what it computes and not what it takes to call PyTorch:
thirty runs take little longer than one. Every run starts, shuffles and moves as the trainer's own would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from d2ltui.data import load
from d2ltui.nn.init import initial_parameters
from d2ltui.nn.optim import torch_optimizer
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


def train(config: RunConfig, seeds: Sequence[int], rates: Sequence[float]) -> Tensor:
    """The validation accuracy, or R², at the end of each run: shape (seeds, rates), nan where it diverged.

    `config` is a concise network's, without dropout and weight decay; its own seed and learning rate do not count.
    """
    configs = [msgspec.structs.replace(config, seed=seed) for seed in seeds]
    data = [load(one) for one in configs]
    x_train, x_val = (torch.stack([getattr(one, part) for one in data]) for part in ("x_train", "x_val"))
    y_train, y_val = (torch.stack([getattr(one, part) for one in data]) for part in ("y_train", "y_val"))
    rate = torch.tensor(rates).view(1, -1, 1, 1)
    parameters = _stacked(configs, len(rates))
    # One rate for all, and each run's own afterwards: a rate only scales the move that an optimiser makes.
    optimizer = torch_optimizer(config)(parameters, lr=1.0)
    orders = [torch.Generator().manual_seed(derive_seed(one.seed, "order")) for one in configs]
    which = torch.arange(len(seeds)).unsqueeze(1)
    for _ in range(config.epochs):
        shuffled = torch.stack([torch.randperm(x_train.shape[1], generator=order) for order in orders])
        for batch in torch.split(shuffled, config.batch_size, dim=1):
            optimizer.zero_grad()
            output = _forward(config, parameters, x_train[which, batch])
            _loss(config, output, y_train[which, batch]).backward()  # type: ignore[no-untyped-call]
            before = [parameter.detach().clone() for parameter in parameters]
            optimizer.step()
            with torch.no_grad():
                for parameter, old in zip(parameters, before, strict=True):
                    parameter.sub_(old).mul_(rate).add_(old)
    with torch.inference_mode():
        return _score(config, _forward(config, parameters, x_val), y_val)


def _stacked(configs: Sequence[RunConfig], num_rates: int) -> list[Tensor]:
    """Weights (seeds, rates, n_in, n_out) and biases (seeds, rates, 1, n_out), in turns, as leaves."""
    drawn = [initial_parameters(config, catalogue.layer_plan(config)) for config in configs]
    stacked = []
    for pairs in zip(*drawn, strict=True):
        for tensor in (torch.stack([w for w, _ in pairs]), torch.stack([b for _, b in pairs]).unsqueeze(1)):
            stacked.append(tensor.unsqueeze(1).repeat(1, num_rates, 1, 1).requires_grad_())
    return stacked


def _forward(config: RunConfig, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """Outputs (seeds, rates, n, n_out) of samples x (seeds, n, n_in)."""
    output = x.unsqueeze(1)
    for i in range(0, len(parameters), 2):
        if i > 0:
            output = _ACTIVATIONS[config.activation](output)
        output = output @ parameters[i] + parameters[i + 1]
    return output


def _loss(config: RunConfig, output: Tensor, y: Tensor) -> Tensor:
    """The sum of all runs' mean losses: none of them sees another's gradient."""
    y = y.unsqueeze(1).expand(*output.shape[:3], *y.shape[2:])
    if config.task == "regression":
        return ((output - y) ** 2).mean(dim=(2, 3)).sum()
    flat = functional.cross_entropy(output.flatten(0, 2), y.flatten(), reduction="none")
    return flat.view(output.shape[:3]).mean(dim=2).sum()


def _score(config: RunConfig, output: Tensor, y: Tensor) -> Tensor:
    y = y.unsqueeze(1)
    if config.task == "regression":
        error = ((output - y) ** 2).double().mean(dim=(2, 3))
        return 1 - error / y.double().var(dim=(2, 3), correction=0)
    right = (output.argmax(dim=3) == y).double().mean(dim=2)
    return torch.where(output.isfinite().all(dim=3).all(dim=2), right, torch.nan)

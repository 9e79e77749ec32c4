"""What each acceleration of `d2ltui.nn.accel` gains: a training step with it, and with PyTorch's own, in turns."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from d2ltui.nn.accel.backward import backward
from d2ltui.nn.accel.linear import accelerate
from d2ltui.nn.accel.loss import mse_loss
from d2ltui.nn.accel.onednn import onednn_is_faster
from d2ltui.nn.accel.optimizers import PlainSGD, uncompiled

from .context import Context
from .figures import Figure

ROUNDS, SECONDS = 15, 0.3
Step = Callable[[], object]
Backward = Callable[[torch.Tensor], object]


def accelerations(context: Context) -> list[Figure]:
    """The speed of a step with each, divided by that without. Single-threaded, on the CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            Figure(f"{name} ÷ PyTorch's own", _ratios(*steps, ROUNDS * context.repeat), at_least=1.05)
            for name, steps in _pairs().items()
        ]
    finally:
        torch.set_num_threads(threads)


def _pairs() -> dict[str, tuple[Step, Step]]:
    """By name: a step with an acceleration, and the same without."""
    pairs: dict[str, tuple[Step, Step]] = {}
    mlp, small = (784, 256, 10), (64, 128, 10)
    if onednn_is_faster():  # or so this processor's name says
        pairs["products by oneDNN, 784-256-10, batch 256"] = _steps(mlp, accelerated=True)
    plain = (PlainSGD, torch.optim.SGD)
    pairs["plain SGD, 784-256-10, batch 256"] = _steps(mlp, optimizers=plain)
    pairs["plain SGD, linear regression, batch 32"] = _steps((2, 1), optimizers=plain, batch=32)
    for named, sizes, batch in (("linear regression", (2, 1), 32), ("64-64-10", (64, 64, 10), 256)):
        pairs[f"straight backward, {named}, batch {batch}"] = _steps(sizes, straight=True, batch=batch)
    pairs["squared errors by their kernel, linear regression, batch 32"] = _steps((2, 1), kernel=True, batch=32)
    for name in ("SGD", "Adagrad", "Adam"):
        own, options = getattr(torch.optim, name), {"momentum": 0.9} if name == "SGD" else {}
        pairs[f"fused {name}{' with momentum' if options else ''}, 64-128-10, batch 32"] = _steps(
            small, optimizers=(uncompiled(own), uncompiled(own)), fused=True, batch=32, **options
        )
    pairs["no profiler or hooks, RMSprop, 64-128-10, batch 32"] = _steps(
        small, optimizers=(uncompiled(torch.optim.RMSprop), torch.optim.RMSprop), batch=32
    )
    return pairs


def _steps(
    sizes: tuple[int, ...],
    *,
    accelerated: bool = False,
    straight: bool = False,
    kernel: bool = False,
    optimizers: tuple[Any, Any] = (PlainSGD, PlainSGD),
    fused: bool = False,
    batch: int = 256,
    **options: float,
) -> tuple[Step, Step]:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    plain = nn.Sequential(*layers[:-1])
    other = copy.deepcopy(plain)
    if accelerated and onednn_is_faster():
        other[0] = accelerate(other[0])  # type: ignore[arg-type]
    given = {"fused": True} if fused else {}
    fast = optimizers[0](other.parameters(), lr=1e-4, **options, **given)
    slow = optimizers[1](plain.parameters(), lr=1e-4, **options)
    x, y = torch.rand(batch, sizes[0]), torch.rand(batch, sizes[-1])
    usual: Backward = torch.Tensor.backward
    loss = mse_loss if kernel else nn.functional.mse_loss
    quick = _step(other, fast, x, y, backward if straight else usual, loss)
    return quick, _step(plain, slow, x, y, usual, nn.functional.mse_loss)


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    backward: Backward,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Step:
    def step() -> None:
        found = loss(network(x), y)
        optimizer.zero_grad()
        backward(found)
        optimizer.step()

    return step


def _ratios(fast: Step, slow: Step, rounds: int) -> list[float]:
    found = []
    for turn in range(rounds):
        order = (fast, slow) if turn % 2 else (slow, fast)
        speed = {step: _speed(step) for step in order}
        found.append(speed[fast] / speed[slow])
    return found


def _speed(step: Step) -> float:
    """Steps a second of processor time, which other programs take none of."""
    for _ in range(5):
        step()
    begun, count = time.process_time(), 0
    while (took := time.process_time() - begun) < SECONDS:
        for _ in range(5):
            step()
        count += 5
    return count / took

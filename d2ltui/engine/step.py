"""The training step. It stands here and nowhere else: runs, range tests and checkups take the same one.

`train_step` is one network's; `population_step` is that of many networks at once, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from d2ltui.nn import Network, Optimizer
from d2ltui.nn.accel.backward import backward
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.nn.batched_optim import BatchedOptimizer


def train_step(
    network: Network, optimizer: Optimizer, clip: Callable[[], object] | None, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """One step on the batch x (n, num_inputs), y: its mean loss, a scalar, and its outputs, from before the step.

    `clip` keeps the gradient's norm in bounds, where there is one. Nothing but the step may stand here.
    """
    optimizer.zero_grad()
    output = network(x)
    loss = network.training_loss(output, y)
    backward(network.objective(loss))
    if clip is not None:
        clip()
    optimizer.step()
    return loss, output


def population_step(
    network: BatchedNetwork, optimizer: BatchedOptimizer, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of each of P networks on the batches x (P or 1, n, num_inputs), y: losses (P,), outputs (P, n, q).

    `optimizer.advance()` comes before it. Nothing here asks a device for a number, so that it can be captured.
    """
    loss, output = network.loss_and_gradients(x, y)
    optimizer.add_penalty()
    optimizer.clip()
    optimizer.step()
    return loss, output

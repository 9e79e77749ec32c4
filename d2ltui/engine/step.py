"""The training step. It stands here and nowhere else: runs, range tests and checkups take the same one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from d2ltui.nn import Network, Optimizer


def train_step(
    network: Network, optimizer: Optimizer, clip: Callable[[], object] | None, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """One step on the batch x (n, num_inputs), y: its mean loss, a scalar, and its outputs, from before the step.

    `clip` keeps the gradient's norm in bounds, where there is one. Nothing but the step may stand here.
    """
    optimizer.zero_grad()
    output = network(x)
    loss = network.loss(output, y)
    network.objective(loss).backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        clip()
    optimizer.step()
    return loss, output

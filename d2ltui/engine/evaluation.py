"""The validation part, in large batches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from d2ltui.engine.metrics import scores
from d2ltui.nn import Network
from d2ltui.spec.catalogue import Task

# Values of a layer at once: on a CPU they stay in its cache, 4 MiB of float32; a GPU wants large batches.
VALUES_CPU = 1 << 20
VALUES_GPU = 1 << 23


@torch.inference_mode()
def evaluate(
    network: Network, task: Task, x: Tensor, y: Tensor, between: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Mean loss and mean score (see `metrics.scores`) of `network` on samples x (n, num_inputs), y (n,) or (n, 1).

    Without gradients or dropout. `between` is called before each part: what it raises passes.
    """
    values = VALUES_CPU if x.device.type == "cpu" else VALUES_GPU
    size = max(1, values // max(x.shape[1], *(spec.num_values for spec in network.plan)))
    losses: list[Tensor] = []
    totals: list[Tensor] = []
    parts = torch.split(x, size)
    network.train(False)
    try:
        for part, labels in zip(parts, torch.split(y, size), strict=True):
            between()
            output = network(part)
            losses.append(network.loss(output, labels))
            totals.append(scores(task, output, labels).sum())
    finally:
        network.train(True)
    # Fetched together, so that a GPU is waited for once; summed in double precision, which not every device has.
    means, sums = torch.stack(losses).tolist(), torch.stack(totals).tolist()
    loss = sum(mean * len(part) for mean, part in zip(means, parts, strict=True))
    return loss / len(x), sum(sums) / len(x)

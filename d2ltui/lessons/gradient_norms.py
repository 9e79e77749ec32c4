"""Norms of gradients, layer by layer, and their mean over seeds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import mean

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network


def gradient_norms(network: Network, data: Dataset) -> list[float]:
    """The norm of each layer's weight gradient, from the first layer to the last, on a batch of 256."""
    from d2ltui.diagnosis.probes import probe, probe_batch

    device = next(network.parameters()).device
    x, y = (t.to(device) for t in probe_batch(data.x_train, data.y_train))
    return [layer.gradient_norm for layer in probe(network, x, y).layers if layer.gradient_norm is not None]


def geometric_mean(values: list[float]) -> float:
    """The geometric mean: ratios over many decades have no other. nan where a value has no logarithm."""
    if not all(0 < value < math.inf for value in values):
        return 0.0 if 0.0 in values else math.nan
    return math.exp(mean(map(math.log, values)))

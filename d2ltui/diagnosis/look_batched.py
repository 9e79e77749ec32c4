"""A look into all networks of a population at once: the figures that rules judge by, without histograms."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from d2ltui.nn.batched import BatchedNetwork
from d2ltui.spec.activations import activation_of
from d2ltui.spec.events import LayersProbed, LayerStats
from d2ltui.spec.layers import LayerSpec

_ROW = 8  # figures of a layer's outputs


@torch.no_grad()
def look_at_all(network: BatchedNetwork, x: Tensor, y: Tensor, step: int) -> list[LayersProbed]:
    """What is seen in each network's layers on samples x (P or 1, n, num_inputs), after `step` steps, without dropout.

    The gradients that the network holds are overwritten.
    """
    specs = [spec for spec in network.plan if spec.kind != "dropout"]
    outputs = network.trace(x)
    rows = [_figures(spec, output) for spec, output in zip(specs, outputs, strict=True)]
    loss, output = network.loss_and_gradients(x, y, dropout=False)
    if network.smooths:  # what is told is the loss of the labels as they are
        loss = network.loss(output, y)
    weights = network.rows(network.parameters)[::2]
    norms = [
        torch.stack((_norm(g), _norm(w))) for g, w in zip(network.rows(network.gradients)[::2], weights, strict=True)
    ]
    # One transfer for everything: (P, …).
    table = torch.cat([loss.double().unsqueeze(0), *rows, *norms]).T.tolist()
    network.forget(x.shape[1])
    found = []
    for values in table:
        of_weights = iter(zip(*[iter(values[1 + _ROW * len(specs) :])] * 2, strict=True))
        layers = []
        for index, spec in enumerate(specs):
            row = values[1 + _ROW * index : 1 + _ROW * (index + 1)]
            gradient, weight = next(of_weights) if spec.kind == "linear" else (None, None)
            layers.append(_stats(spec, row, gradient, weight))
        found.append(LayersProbed(step, tuple(layers), loss=values[0]))
    return found


@torch.no_grad()
def histograms(network: BatchedNetwork, x: Tensor, bins: int) -> list[list[list[Any]]]:
    """Of each network, the outputs of its activations on samples x (P or 1, n, num_inputs), without dropout.

    A title, both ends, and the counts of `bins` equal bins between them; what is not finite counts as 0.
    """
    specs = [spec for spec in network.plan if spec.kind != "dropout"]
    found: list[list[list[Any]]] = []
    for spec, output in zip(specs, network.trace(x), strict=True):
        if activation_of(spec.name) is None:
            continue
        values = torch.nan_to_num(output.flatten(1), 0.0, 0.0, 0.0)
        low, high = torch.aminmax(values, dim=1, keepdim=True)
        places = ((values - low) / (high - low).clamp(min=1e-30) * bins).long().clamp(0, bins - 1)
        counts = torch.zeros(len(values), bins, dtype=torch.int64, device=values.device)
        counts.scatter_add_(1, places, torch.ones_like(places))
        ends = torch.cat((low, high), dim=1).double().tolist()
        rows = zip(ends, counts.tolist(), strict=True)
        found.append([[spec.title, *limits, of] for limits, of in rows])
    network.forget(x.shape[1])
    return [list(member) for member in zip(*found, strict=True)] if found else [[] for _ in range(network.size)]


def _norm(rows: Tensor) -> Tensor:
    return rows.double().square().sum(dim=1).sqrt()


def _figures(spec: LayerSpec, output: Tensor) -> Tensor:
    """Of outputs (P, n, units): (8, P); what is not finite is in nothing but its number."""
    finite = torch.isfinite(output)
    count = finite.sum(dim=(1, 2))
    n = count.clamp(min=1)
    values = torch.where(finite, output, 0.0)
    mean = values.sum(dim=(1, 2), dtype=torch.float64) / n
    square = values.double().square().sum(dim=(1, 2)) / n
    zeros = output == 0
    ends = activation.flat_ends if (activation := activation_of(spec.name)) is not None else None
    outside = ((values < ends[0]) | (values > ends[1])) & finite if ends is not None else torch.zeros_like(finite)
    low, high = torch.aminmax(values.flatten(1), dim=1)
    return torch.stack(
        (
            zeros.all(dim=1).double().mean(dim=1),
            low.double(),
            high.double(),
            mean,
            (square - mean.square()).clamp(min=0).sqrt(),
            zeros.sum(dim=(1, 2)) / n.double(),
            outside.sum(dim=(1, 2)) / n.double(),
            (finite[0].numel() - count).double(),
        )
    )


def _stats(spec: LayerSpec, row: list[float], gradient: float | None, weight: float | None) -> LayerStats:
    dead, low, high, mean, sd, zeros, saturated, nonfinite = row
    activation = activation_of(spec.name)
    return LayerStats(
        index=spec.index,
        title=spec.title,
        kind=spec.kind,
        num_units=spec.num_outputs,
        counts=(),
        mean=mean,
        sd=sd,
        minimum=low,
        maximum=high,
        zeros=zeros,
        dead=dead if activation is not None and activation.can_die else None,
        saturated=saturated if activation is not None and activation.flat_ends is not None else None,
        nonfinite=int(nonfinite),
        gradient_norm=gradient,
        weight_norm=weight,
    )


def gradient_ratio(probed: LayersProbed) -> float | None:
    """The norm of the first layer's gradient over that of the last one's; None where that is no number."""
    norms = [layer.gradient_norm for layer in probed.layers if layer.gradient_norm is not None]
    if len(norms) < 2 or not all(map(math.isfinite, norms)) or norms[-1] == 0:
        return None
    return norms[0] / norms[-1]

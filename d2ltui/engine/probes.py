"""Looking inside a network: one pass of a fixed batch, outside the training step, turned into figures at once.

The batch goes through the network's own layers one by one, in evaluation mode (no dropout, no random number drawn, so
that looking never changes a run), and each output is binned on the device before the next layer runs: no activation is
kept. Training steps carry no hooks at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from d2ltui.catalogue import LayerSpec
from d2ltui.events import LayerStats
from d2ltui.models import Network

NUM_BINS = 40
PROBE_SAMPLES = 256

# An output is saturated where the activation is flat: its slope there is less than a twentieth of its largest
# (section 5.1.2: the gradient of sigmoid and tanh vanishes for large inputs).
_SATURATED = {"Sigmoid": (0.01, 0.99), "Tanh": (-0.98, 0.98)}


def probe_batch(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """At most PROBE_SAMPLES samples, spread evenly over the training data: the same ones for every probe of a run."""
    index = torch.linspace(0, len(x) - 1, min(len(x), PROBE_SAMPLES), device=x.device).long()
    return x[index], y[index]


def probe(network: Network, x: Tensor, y: Tensor) -> tuple[LayerStats, ...]:
    """The figures of every layer of `network` for the samples `x` (n, num_inputs) with labels `y`.

    Gradients are those of the mean loss of these samples; the parameters' own `.grad` is left alone.
    """
    weights = {spec.index: weight for spec, weight, _ in network.weights()}
    network.train(False)
    try:
        with torch.enable_grad():
            collected: list[tuple[LayerSpec, Tensor]] = []
            output = x
            for spec, output in network.trace(x):
                collected.append((spec, summarise(spec, output.detach())))
            loss = network.loss(output, y)
            gradients = torch.autograd.grad(loss, network.parameters())
    finally:
        network.train(True)
    # The parameters come as weight, bias for each layer that has any.
    norms = torch.stack(
        [
            torch.stack((torch.linalg.vector_norm(gradient), torch.linalg.vector_norm(weight.detach())))
            for gradient, weight in zip(gradients[::2], weights.values(), strict=True)
        ]
    )
    # Two transfers for the whole network, however many layers it has.
    rows = torch.stack([figures for _, figures in collected]).tolist()
    by_layer = dict(zip(weights, norms.tolist(), strict=True))
    return tuple(_stats(spec, row, by_layer.get(spec.index)) for (spec, _), row in zip(collected, rows, strict=True))


@torch.no_grad()
def summarise(spec: LayerSpec, output: Tensor) -> Tensor:
    """Histogram and moments of `output` (n, units), as one float64 tensor on its device: see `_stats` for the order."""
    flat = output.flatten()
    finite = torch.isfinite(flat)
    good = flat[finite].double()
    if good.numel() == 0:
        zero = torch.zeros(1, dtype=torch.float64, device=output.device)
        moments = zero.expand(8).clone()
        counts = zero.expand(NUM_BINS)
    else:
        low, high = good.min(), good.max()
        counts = histogram(good, low, high)
        edges = _SATURATED.get(spec.name, (-torch.inf, torch.inf))
        saturated = ((good < edges[0]) | (good > edges[1])).double().mean()
        dead = (output == 0).all(dim=0).double().mean()
        zeros = (good == 0).double().mean()
        moments = torch.stack(
            (low, high, good.mean(), good.std(correction=0), zeros, dead, saturated, (~finite).sum().double())
        )
    if good.numel() == 0:
        moments[7] = flat.numel()
    return torch.cat((moments, counts))


def histogram(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Counts of `values` in NUM_BINS equal bins over [low, high]; the last bin includes `high`. Shape (NUM_BINS,)."""
    width = (high - low) / NUM_BINS
    # A constant layer has no width: everything is in the first bin. Bounds stay on the device: no transfer.
    index = torch.where(width > 0, (values - low) / torch.where(width > 0, width, 1), 0)
    return torch.bincount(index.long().clamp_(0, NUM_BINS - 1), minlength=NUM_BINS).double()


def _stats(spec: LayerSpec, figures: list[float], norms: list[float] | None) -> LayerStats:
    low, high, mean, sd, zeros, dead, saturated, nonfinite, *counts = figures
    gradient_norm, weight_norm = norms or (None, None)
    return LayerStats(
        index=spec.index,
        title=spec.title,
        counts=tuple(int(count) for count in counts),
        mean=mean,
        sd=sd,
        minimum=low,
        maximum=high,
        zeros=zeros,
        dead=dead if spec.name == "ReLU" else None,
        saturated=saturated if spec.name in _SATURATED else None,
        nonfinite=int(nonfinite),
        gradient_norm=gradient_norm,
        weight_norm=weight_norm,
    )

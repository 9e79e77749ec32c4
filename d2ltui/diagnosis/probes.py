"""Looking inside a network: one pass of a fixed batch, outside the training step, turned into figures at once.

The batch goes through the network's own layers one by one, in evaluation mode (no dropout, no random number drawn, so
that looking never changes a run), and each output is binned on the device before the next layer runs: no activation is
kept. Training steps carry no hooks at all.

What there is:
    `probe(network, x, y, units=...)` gives a `LayersProbed` for one moment.
    `Prober` does that for a run: it decides when (often while somebody looks, seldom otherwise, always within a share
    of the training time) and measures how far one training step moved the weights.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from statistics import median_low

import torch
from torch import Tensor

from d2ltui.nn import Network
from d2ltui.nn.concise import ConciseNetwork
from d2ltui.spec.activations import activation_of
from d2ltui.spec.catalogue import LayerSpec
from d2ltui.spec.events import LayersProbed, LayerStats

NUM_BINS = 40
PROBE_SAMPLES = 256
PROBE_VALUES = 1 << 22  # outputs of one layer at most: wider layers are looked at with fewer samples
MAX_UNITS = 1024  # of a layer, told one by one
CHUNK = 1 << 22  # values that are widened to float64 at once: 32 MiB

# Seconds between two looks: while somebody looks, while nobody does, and from the untrained network to the next one.
PROBE_EVERY = 1.0
SAMPLE_EVERY = 2.0
FIRST_PROBE = 0.3
# The first looks come oftener, while somebody looks: a network changes most in its first steps.
EARLY_PROBES, EARLY_PROBE_EVERY = 5, 0.5
# Probes may take this share of the training time at most; slow ones are repeated less often. While somebody looks,
# they come every PROBE_EVERY seconds in any case, up to a larger share: a pane that stands still says nothing.
SHARE, LOOKED_AT_SHARE = 0.01, 0.03


def flat_ends(spec: LayerSpec) -> tuple[float, float] | None:
    """The outputs beyond which a layer is saturated; None where it has no flat ends, or nothing is known of it."""
    activation = activation_of(spec.name)
    return activation.flat_ends if activation is not None else None


def _can_die(spec: LayerSpec) -> bool:
    activation = activation_of(spec.name)
    return activation is not None and activation.can_die


def probe_batch(x: Tensor, y: Tensor, width: int = 1) -> tuple[Tensor, Tensor]:
    """At most PROBE_SAMPLES samples, spread evenly over the training data: the same ones for every probe of a run.

    `width` is the widest layer's number of units; more than PROBE_VALUES of its outputs are never asked for.
    """
    n = max(1, min(len(x), PROBE_SAMPLES, PROBE_VALUES // max(1, width)))
    index = torch.linspace(0, len(x) - 1, n, dtype=torch.float64).long().to(x.device)
    return x[index], y[index]


def probe(
    network: Network,
    x: Tensor,
    y: Tensor,
    *,
    step: int = 0,
    units: bool = False,
    update_ratios: Mapping[int, float] | None = None,
) -> LayersProbed:
    """The figures of every layer of `network` for the samples `x` (n, num_inputs) with labels `y`.

    Gradients are those of the mean loss of these samples; the parameters' own `.grad` is left alone. `units` asks
    for `LayerStats.unit_activity`; `step` and `update_ratios` (by layer index) are passed on as they are.
    """
    outputs: list[tuple[LayerSpec, Tensor]] = []
    activities: dict[int, Tensor] = {}
    network.train(False)
    try:
        with torch.enable_grad():
            output = x
            for spec, output in network.trace(x):
                outputs.append((spec, _outputs(spec, output.detach())))
                if units and spec.kind == "activation":
                    activities[spec.index] = _activity(spec, output.detach())
            loss = network.loss(output, y)
            gradients = torch.autograd.grad(loss, network.parameters())
    finally:
        network.train(True)
    # The parameters come as weight, bias for each layer that has any.
    of_weights = [
        (spec, _weights(weight.detach(), gradient, isinstance(network, ConciseNetwork)))
        for (spec, weight, _), gradient in zip(network.linear_parameters(), gradients[::2], strict=True)
    ]
    # A few transfers for the whole network, however many layers it has.
    rows = torch.stack([row for _, row in outputs]).tolist()
    weight_rows = torch.stack([row for _, row in of_weights]).tolist()
    by_layer = {spec.index: row for (spec, _), row in zip(of_weights, weight_rows, strict=True)}
    activity = _split(activities)
    ratios = update_ratios or {}
    return LayersProbed(
        step,
        tuple(
            _stats(spec, row, by_layer.get(spec.index), activity.get(spec.index), ratios.get(spec.index))
            for (spec, _), row in zip(outputs, rows, strict=True)
        ),
        loss=float(loss.detach()),
    )


class Prober:
    """Probes one run's network: when, and with what one training step did to the weights.

    To measure a step, the weights are copied before it and compared after it; both happen between steps, and only at
    probe moments. `due()` says when to come, `arm()` copies, and the next `probe()` compares if exactly one step has
    been trained since.

    Args:
        network: the run's.
        x, y: the probe batch, on the network's device: see `probe_batch`.
        sample_every: seconds between two looks while nobody looks; None for none.
    """

    def __init__(self, network: Network, x: Tensor, y: Tensor, sample_every: float | None = SAMPLE_EVERY) -> None:
        self._network, self._x, self._y = network, x, y
        self._sample_every = sample_every
        self._before: list[Tensor] = []
        self._armed_at: int | None = None
        self._ratios: dict[int, float] = {}  # of the last step that was measured
        self._times: deque[float] = deque(maxlen=3)  # seconds that the last looks took
        self._last: float | None = None
        self._count = 0
        self.blind = False  # no more looks

    def due(self, observed: bool) -> bool:
        """Whether it is time for a look: soon after the last one while `observed`, seldom otherwise."""
        if self.blind:
            return False
        if self._last is None:
            return True
        if not observed and self._sample_every is None:
            return False
        took = median_low(self._times)  # a single slow one tells of the machine, not of the network
        if self._count == 1:
            # The first look at the trained network comes soon, whatever it costs: a sick one is told of at once.
            wait = FIRST_PROBE
        elif observed:
            shortest = EARLY_PROBE_EVERY if self._count < EARLY_PROBES else PROBE_EVERY
            wait = max(shortest, min(took / SHARE, max(PROBE_EVERY, took / LOOKED_AT_SHARE)))
        else:
            wait = max(self._sample_every or 0.0, took / SHARE)
        return time.perf_counter() - self._last >= wait

    def arm(self, step: int) -> None:
        """Remember the weights after `step` steps, so that the next step can be measured."""
        if self.blind:
            return
        self._before = [weight.detach().clone() for _, weight, _ in self._network.linear_parameters()]
        self._armed_at = step

    def give_up(self) -> None:
        """Look no more, and let go of what was remembered for it."""
        self.blind = True
        self._before, self._armed_at = [], None

    def armed(self, step: int) -> bool:
        """Whether the step that led to `step` can be measured."""
        return self._armed_at == step - 1

    def probe(self, step: int, units: bool) -> LayersProbed:
        """Look at the network after `step` steps."""
        began = time.perf_counter()
        if self.armed(step):
            self._ratios = self._measure_step()
        probed = probe(self._network, self._x, self._y, step=step, units=units, update_ratios=self._ratios or None)
        self._last = time.perf_counter()
        self._times.append(self._last - began)
        self._count += 1
        return probed

    @torch.no_grad()
    def _measure_step(self) -> dict[int, float]:
        linear = self._network.linear_parameters()
        rows = [
            torch.stack((_norm(weight.detach(), before), _norm(before)))
            for (_, weight, _), before in zip(linear, self._before, strict=True)
        ]
        moved = torch.stack(rows).tolist()
        self._before, self._armed_at = [], None
        return {
            spec.index: change / norm if norm > 0 else math.nan
            for (spec, _, _), (change, norm) in zip(linear, moved, strict=True)
        }


# On the device. Everything is widened: a sum of float32 figures would not be right to the digits that are shown.


def _wide(values: Tensor) -> torch.dtype:
    return torch.float32 if values.device.type == "mps" else torch.float64  # mps has no float64


def _rows(matrix: Tensor) -> tuple[Tensor, ...]:
    """`matrix` in parts of CHUNK values at most, or of one row."""
    return torch.split(matrix, max(1, CHUNK // max(1, matrix.shape[1])))


def _norm(matrix: Tensor, origin: Tensor | None = None) -> Tensor:
    """The norm of `matrix`, or of what it differs by from `origin`; of CHUNK values at once."""
    # Where the cores are busy, torch.linalg.vector_norm's two threads wait for each other: 8 ms of 200,000 values.
    origins = _rows(origin) if origin is not None else ()
    total = torch.zeros((), dtype=_wide(matrix), device=matrix.device)
    for index, part in enumerate(_rows(matrix)):
        moved = part - origins[index] if origins else part
        total += moved.to(total.dtype, copy=True).square_().sum()
    return total.sqrt()


@torch.no_grad()
def figures(values: Tensor, flat_ends: tuple[float, float] | None = None) -> Tensor:
    """Minimum, maximum, mean, sd, share of zeros, share outside `flat_ends`, number not finite, NUM_BINS counts.

    One tensor (7 + NUM_BINS,) on the device of `values` (any shape). What is not finite is in nothing but its number;
    where nothing is finite, everything else is 0.
    """
    parts = _finite_parts(values)
    n = sum(len(part) for part in parts)
    zero = torch.zeros((), dtype=_wide(values), device=values.device)
    total, squares, zeros, saturated = (zero.clone() for _ in range(4))
    for part in parts:
        total += part.sum(dtype=zero.dtype)
        zeros += len(part) - torch.count_nonzero(part)
        if flat_ends is not None:
            saturated += torch.count_nonzero((part < flat_ends[0]) | (part > flat_ends[1]))
    mean = total / max(n, 1)
    for part in parts:
        squares += _widened(part, zero).sub_(mean).square_().sum()
    low, high, counts = _histogram(parts, zero)
    shares = torch.stack((squares, zeros, saturated)) / max(n, 1)
    moments = (low, high, mean, shares[0].sqrt(), shares[1], shares[2], zero + (values.numel() - n))
    return torch.cat((torch.stack(moments), counts))


def _finite_parts(values: Tensor) -> list[Tensor]:
    """What is finite of `values`, flat, in parts of at most CHUNK."""
    parts = []
    for part in torch.split(values.detach().flatten(), CHUNK):
        # A finite sum has only finite terms, and is much faster to have than a mask.
        parts.append(part if bool(torch.isfinite(part.sum())) else part[torch.isfinite(part)])
    return [part for part in parts if len(part)]


def _widened(part: Tensor, zero: Tensor) -> Tensor:
    """A copy in the dtype of `zero`, to be worked on in place: each new tensor of this size costs as much again."""
    return part.to(zero.dtype, copy=True)


def _histogram(parts: list[Tensor], zero: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Minimum, maximum, and counts (NUM_BINS,) in equal bins between them, of which the last includes the maximum."""
    counts = torch.zeros(NUM_BINS, dtype=torch.int64, device=zero.device)
    if not parts:
        return zero, zero, counts.to(zero.dtype)
    bounds = [torch.aminmax(part) for part in parts]
    low = torch.stack([bound.min for bound in bounds]).min().to(zero.dtype)
    high = torch.stack([bound.max for bound in bounds]).max().to(zero.dtype)
    # A constant layer's bins have no width: everything is in the first one.
    width = torch.where(high > low, high - low, torch.inf)
    for part in parts:
        index = _widened(part, zero).sub_(low).div_(width).mul_(NUM_BINS).to(torch.int32).clamp_(0, NUM_BINS - 1)
        counts += torch.bincount(index, minlength=NUM_BINS)
    return low, high, counts.to(zero.dtype)


@torch.no_grad()
def _outputs(spec: LayerSpec, output: Tensor) -> Tensor:
    """A layer's output (n, units): the share of units that are 0 for every sample, then `figures`."""
    row = figures(output, flat_ends(spec))
    return torch.cat(((output == 0).all(dim=0).to(row.dtype).mean().reshape(1), row))


@torch.no_grad()
def _activity(spec: LayerSpec, output: Tensor) -> Tensor:
    """The share of samples that each unit of `output` (n, units) passes a gradient for; the first MAX_UNITS of them."""
    output = output[:, :MAX_UNITS]
    ends = flat_ends(spec)
    if ends is not None:
        low, high = ends
        active = (output >= low) & (output <= high)
    else:
        active = output != 0
    return active.to(_wide(output)).mean(dim=0)


@torch.no_grad()
def _weights(weight: Tensor, gradient: Tensor, transposed: bool) -> Tensor:
    """A layer's weights: norm of the gradient, norm of the weights, sign share, `_histogram` of the gradient."""
    by_unit = gradient if transposed else gradient.T  # (n_out, n_in): a row holds what comes into one unit
    parts = _rows(by_unit)  # a sum of truth values is counted in 64 bits each
    positive = torch.cat([(part > 0).sum(dim=1) for part in parts])
    negative = torch.cat([(part < 0).sum(dim=1) for part in parts])
    signed = positive + negative
    share = torch.maximum(positive, negative).to(_wide(weight)) / signed.clamp(min=1)
    having = (signed > 0).sum()
    sign_share = torch.where(having > 0, share.sum() / having.clamp(min=1), torch.nan)
    norms = torch.stack((_norm(gradient), _norm(weight), sign_share))
    low, high, counts = _histogram(_finite_parts(gradient), norms.new_zeros(()))
    return torch.cat((norms, torch.stack((low, high)), counts))


def _split(activities: Mapping[int, Tensor]) -> dict[int, tuple[float, ...]]:
    if not activities:
        return {}
    values, start, result = torch.cat(list(activities.values())).tolist(), 0, {}
    for index, activity in activities.items():
        result[index] = tuple(values[start : start + len(activity)])
        start += len(activity)
    return result


def _stats(
    spec: LayerSpec,
    row: list[float],
    weights: list[float] | None,
    activity: tuple[float, ...] | None,
    update_ratio: float | None,
) -> LayerStats:
    dead, low, high, mean, sd, zeros, saturated, nonfinite, *counts = row
    gradient_norm, weight_norm, sign_share = weights[:3] if weights else (None, None, None)
    gradient_low, gradient_high, *gradient_counts = weights[3:] if weights else (0.0, 0.0)
    return LayerStats(
        index=spec.index,
        title=spec.title,
        kind=spec.kind,
        num_units=spec.num_outputs,
        counts=_counts(counts),
        mean=mean,
        sd=sd,
        minimum=low,
        maximum=high,
        zeros=zeros,
        dead=dead if _can_die(spec) else None,
        saturated=saturated if flat_ends(spec) is not None else None,
        nonfinite=int(nonfinite),
        gradient_norm=gradient_norm,
        weight_norm=weight_norm,
        update_ratio=update_ratio,
        sign_share=sign_share if sign_share is not None and math.isfinite(sign_share) else None,
        gradient_counts=_counts(gradient_counts),
        gradient_minimum=gradient_low,
        gradient_maximum=gradient_high,
        unit_activity=activity,
    )


def _counts(figures: list[float]) -> tuple[int, ...]:
    return tuple(int(count) for count in figures)

"""What findings are judged by, sampled by steps: the same run gives the same evidence, however fast it is.

`moments` says after which steps a sample is taken; `Sampler` takes them, on the fixed probe batch. What the eye sees
meanwhile comes from `probes.Prober`, by the clock, and judges nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from d2ltui.diagnosis.figures import brief_norm
from d2ltui.diagnosis.look import look
from d2ltui.nn import Network
from d2ltui.spec.events import LayersProbed
from d2ltui.spec.layers import LayerSpec

SHARE = 0.006  # of a run's steps that all samples together may cost
MOST = 48  # samples of a run, however long it is
FIRST = 32  # steps: before, the network has hardly moved
GEOMETRIC = 12  # of the samples, each after half as many steps as the next; the others are at ends of epochs
# Seconds that a step and a sample take apart from what is computed, for each of a network's layers and for each of them
# at all. Only the ratio counts, so that it holds on other machines, too. Measured on two cores.
STEP_CALLS, STEP_LAYER_CALLS = 60e-6, 30e-6
SAMPLE_CALLS, SAMPLE_LAYER_CALLS = 400e-6, 320e-6
VALUES, FLOPS = 5e8, 3e10  # that are worked on in a second


def moments(
    plan: Sequence[LayerSpec], batch_size: int, samples: int, steps_per_epoch: int, epochs: int
) -> tuple[int, ...]:
    """After which of a run's steps `samples` samples are looked at, besides the start and the end.

    A geometric sequence, halving from the end, and ends of epochs, evenly spread, as far as `SHARE` allows.
    """
    steps = steps_per_epoch * epochs
    number = int(min(MOST, SHARE * steps / cost(plan, batch_size, samples)))
    halved = [steps >> power for power in range(1, GEOMETRIC + 1) if steps >> power >= FIRST][:number]
    rest = min(number - len(halved), epochs - 1)
    ends = [steps_per_epoch * round(k * epochs / (rest + 1)) for k in range(1, rest + 1)]
    return tuple(sorted({*halved, *ends} - {0, 1, steps}))  # nothing comes before the first step that could be measured


def cost(plan: Sequence[LayerSpec], batch_size: int, samples: int) -> float:
    """What one look at `samples` samples costs in training steps, in a network of layers `plan`.

    It is computed, not measured: what the clock says is another thing each time.
    """
    parameters = sum(layer.parameters for layer in plan)
    outputs = sum(layer.num_values for layer in plan)
    step = STEP_CALLS + STEP_LAYER_CALLS * len(plan) + 6 * batch_size * parameters / FLOPS
    sample = SAMPLE_CALLS + SAMPLE_LAYER_CALLS * len(plan) + 6 * samples * parameters / FLOPS
    return (sample + (3 * samples * outputs + 20 * parameters) / VALUES) / step


class Sampler:
    """Samples one run's network after the steps `moments`.

    `next` is the step after which something is to be done, infinite where there is none: `take()` copies the weights
    one step before a moment, and returns a sample at the moment.
    """

    def __init__(self, network: Network, x: Tensor, y: Tensor, at: Sequence[int] = ()) -> None:
        self._network, self._x, self._y = network, x, y
        self._moments = deque(moment for moment in at if moment > 1)
        self._weights: dict[int, Tensor] = {}
        self._before: dict[int, Tensor] = {}
        self.next: float = math.inf
        self._set_next()

    def go_on_from(self, step: int) -> None:
        """Leave out what lies before `step`, or cannot be measured from there: the very next step."""
        while self._moments and self._moments[0] - 1 <= step:
            self._moments.popleft()
        self._set_next()

    def disable(self) -> None:
        """Take no more samples, and let go of what was remembered for them."""
        self._moments.clear()
        self._before = {}
        self._set_next()

    def take(self, step: int) -> LayersProbed | None:
        """What is to be done after `step`, which is `next`: a sample, or None."""
        if step < self._moments[0]:
            self._copy()
            return None
        self._moments.popleft()
        ratios = {index: _moved(weight, self._before[index]) for index, weight in self._weights.items()}
        self._before = {}
        self._set_next()
        if self.next == step:
            self._copy()
        return look(
            self._network, self._x, self._y, self._network.loss, step=step, brief=True, update_ratios=ratios
        ).probed

    def _copy(self) -> None:
        """Remember the weights before the step that leads to the next moment."""
        self._before = {index: weight.detach().clone() for index, weight in self._own_weights().items()}
        self.next = self._moments[0]

    def _own_weights(self) -> dict[int, Tensor]:
        if not self._weights:
            first = self._x[:1], self._y[:1]
            self._weights = look(self._network, *first, self._network.loss, brief=True).weights
        return self._weights

    def _set_next(self) -> None:
        self.next = self._moments[0] - 1 if self._moments else math.inf


@torch.no_grad()
def _moved(weight: Tensor, before: Tensor) -> float:
    norm = float(brief_norm(before))
    return float(brief_norm(weight - before)) / norm if norm > 0 else math.nan

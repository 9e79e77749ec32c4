"""When to look inside a network while it trains, and what one training step did to its weights.

`probe(network, x, y, units=...)` gives a `LayersProbed` for one moment: see `look` for how.
`Prober` does that for a run: it decides when (often while somebody looks, seldom otherwise, always within a share
of the training time) and measures how far one training step moved the weights. Training steps carry no hooks.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median_low

import torch
from torch import Tensor

from d2ltui.diagnosis.figures import norm
from d2ltui.diagnosis.look import look
from d2ltui.nn import Network
from d2ltui.spec.events import LayersProbed

PROBE_SAMPLES = 256
PROBE_VALUES = 1 << 22  # outputs of one layer at most: wider layers are looked at with fewer samples

# Seconds between two looks: while somebody looks, while nobody does, and from the untrained network to the next one,
# whatever that costs. (The very first look takes longer than the others: it says little about what they cost.)
PROBE_EVERY = 1.0
SAMPLE_EVERY = 2.0
FIRST_PROBE = 0.03
# A network changes most in its first steps, and a run may be over in a tenth of a second: for EARLY_FOR seconds from
# the look at the untrained network, each look comes when the time since then has doubled, and while somebody looks
# every EARLY_PROBE_EVERY at least. These shares of so short a time are small ones of any run that goes on.
EARLY_FOR, SOONEST, EARLY_PROBE_EVERY = 1.7, 0.02, 0.5
EARLY_SHARE, EARLY_UNSEEN_SHARE = 0.1, 0.02
# Probes may take this share of the training time at most; slow ones are repeated less often. While somebody looks,
# they come every PROBE_EVERY seconds in any case, up to a larger share: a pane that stands still says nothing. That is
# one of the clock's time and of the thread's own: where other programs compute, a second holds fewer steps, and a look
# costs as many as ever. With the samples and the first looks, which do not wait, training keeps more than 0.97.
SHARE, LOOKED_AT_SHARE = 0.01, 0.02
A_LOOK = 0.002  # seconds that one takes, before that is known
UNSEEN_SHARE = 0.003  # while nobody looks: with the samples that are judged, less than a hundredth


def probe_batch(x: Tensor, y: Tensor, width: int = 1, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """At most PROBE_SAMPLES samples, spread evenly over the training data: the same ones for every probe of a run.

    `width` is the widest layer's number of units; more than PROBE_VALUES of its outputs are never asked for. They
    are put on `device`.
    """
    n = max(1, min(len(x), PROBE_SAMPLES, PROBE_VALUES // max(1, width)))
    index = torch.linspace(0, len(x) - 1, n, dtype=torch.float64).long().to(x.device)
    return x[index].to(device), y[index].to(device)


def probe(
    network: Network,
    x: Tensor,
    y: Tensor,
    *,
    step: int = 0,
    units: bool = False,
    update_ratios: Mapping[int, float] | None = None,
) -> LayersProbed:
    """The figures of every layer of `network` for the samples `x` (n, ...) with labels `y`, by its own loss."""
    return look(network, x, y, network.loss, step=step, units=units, update_ratios=update_ratios).probed


def early_wait(age: float, took: float, share: float) -> float:
    """Seconds from one early look to the next, where the last came `age` seconds after the first and `took` seconds."""
    return max(SOONEST, age, took / share)


def unseen_wait(age: float, took: float, share: float) -> float:
    """The same at any age, of looks at whole populations, which nobody sees at once: later, they take their `share`."""
    wait = max(SAMPLE_EVERY, took / share)
    return min(wait, early_wait(age, took, EARLY_UNSEEN_SHARE)) if age < EARLY_FOR else wait


class Prober:
    """Probes one run's network: when, and with what one training step did to the weights.

    To measure a step, the weights are copied before it and compared after it; both happen between steps, and only at
    probe moments. `due()` says when to come, `arm()` copies, and the next `probe()` compares if exactly one step has
    been trained since.

    Args:
        network: the run's.
        x, y: the probe batch, on the network's device: see `probe_batch`.
        sample_every: seconds between two looks while nobody looks; None for none.
        trained: seconds for which the run has trained; a pause makes no network older.
    """

    def __init__(
        self,
        network: Network,
        x: Tensor,
        y: Tensor,
        sample_every: float | None = SAMPLE_EVERY,
        trained: Callable[[], float] | None = None,
    ) -> None:
        self._network, self._x, self._y = network, x, y
        self._sample_every, self._trained = sample_every, trained or time.perf_counter
        self._weights: dict[int, Tensor] = {}  # by layer index, as of the last look
        self._before: list[Tensor] = []
        self._armed_at: int | None = None
        self._ratios: dict[int, float] = {}  # of the last step that was measured
        self._times: deque[float] = deque(maxlen=3)  # seconds that the last looks took
        self._computed: deque[float] = deque(maxlen=3)  # the same, of this thread's processor time
        self._last = self._last_computed = 0.0  # when the network was looked at
        self._first_age = self._age = 0.0  # for how long it had been trained when it was looked at
        self._count = 0
        self.disabled = False  # no more looks

    def due(self, observed: bool, slowed: bool = False) -> bool:
        """Whether it is time for a look: soon after the last one while `observed`, seldom otherwise.

        A run that is `slowed` down waits between its steps: a look takes none of their time.
        """
        if self.disabled:
            return False
        if self._count == 0:
            return True
        if not observed and self._sample_every is None:
            return False
        took = median_low(self._times)  # a single slow one tells of the machine, not of the network
        age, computed = self._age - self._first_age, 0.0
        if observed:
            shortest = EARLY_PROBE_EVERY if age < EARLY_FOR else PROBE_EVERY
            wait = max(shortest, min(took / SHARE, max(PROBE_EVERY, took / LOOKED_AT_SHARE)))
            computed = 0.0 if slowed else median_low(self._computed)
        else:
            wait = max(self._sample_every or 0.0, took / UNSEEN_SHARE)
        share = LOOKED_AT_SHARE
        if age < EARLY_FOR:
            share = EARLY_SHARE if observed else EARLY_UNSEEN_SHARE
            wait = min(wait, early_wait(age, took, share))
            if self._count == 1:
                wait, computed = FIRST_PROBE, 0.0
        now, used = time.perf_counter(), time.thread_time()
        return now - self._last >= wait and used - self._last_computed >= computed / share

    def arm(self, step: int) -> None:
        """Remember the weights after `step` steps, so that the next step can be measured."""
        if self.disabled:
            return
        self._before = [weight.detach().clone() for weight in self._weights.values()]
        self._armed_at = step

    def disable(self) -> None:
        """Look no more, and let go of what was remembered for it."""
        self.disabled = True
        self._before, self._armed_at = [], None

    def armed(self, step: int) -> bool:
        """Whether the step that led to `step` can be measured."""
        return self._armed_at == step - 1

    def probe(self, step: int, units: bool) -> LayersProbed:
        """Look at the network after `step` steps."""
        began, computed = time.perf_counter(), time.thread_time()
        if self.armed(step):
            self._ratios = self._measure_step()
        probed, self._weights = look(
            self._network, self._x, self._y, self._network.loss, step=step, units=units, update_ratios=self._ratios
        )
        self._last, self._age = time.perf_counter(), self._trained()
        if self._count == 0:
            self._first_age = self._age
        self._times.append(self._last - began)
        self._last_computed = time.thread_time()
        self._computed.append(self._last_computed - computed)
        self._count += 1
        return probed

    @torch.no_grad()
    def _measure_step(self) -> dict[int, float]:
        rows = [
            torch.stack((norm(weight.detach(), before), norm(before)))
            for weight, before in zip(self._weights.values(), self._before, strict=True)
        ]
        moved = torch.stack(rows).tolist() if rows else []
        self._before, self._armed_at = [], None
        return {
            index: change / before if before > 0 else math.nan
            for index, (change, before) in zip(self._weights, moved, strict=True)
        }

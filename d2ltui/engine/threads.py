"""With how many threads PyTorch computes on a CPU: with as many as there are idle cores.

PyTorch's threads wait for each other, busily, at the end of every operation: one that has no core of its own holds up
all of them, and a step takes fifty times as long as with one thread. So other programs' share of the cores is measured
while a run's data is loaded, and then about once a second:

    meter = CoreMeter()                                      # begins to measure; then the data is loaded
    count = ThreadCount(config.threads, flops, "cpu", meter)
    count.choose()                                           # as many as are idle now
    count.due(…) and count.look(step, epoch_ended=True)       # later: an events.ThreadsChanged, or None

Another number of threads adds in another order, and changes the last bits of what is computed. So a number changes
only where that is worth it, each change is told and stored, and a run that is resumed begins with the number that its
checkpoint holds.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Protocol

import torch

from d2ltui.spec import events
from d2ltui.spec.cores import allowed_cpus, available_cores, quota
from d2ltui.spec.language import _

# A step of fewer multiplications and additions than this is done sooner by one thread than two have agreed on who does
# what.
ONE_THREAD_FLOPS = 2e7
LOOK_EVERY = 1.0  # seconds
FIRST_LOOK = 0.1  # seconds that the first one takes at least
PATIENCE = 2  # looks in a row that must find too many threads
LONG_EPOCH = 2.0  # seconds: an epoch that has lasted so long is not waited for
CALM = 10.0  # seconds for which more cores must have been idle before more threads are used; doubles each time
_DEFAULT = torch.get_num_threads()
_BY_ENVIRONMENT = any(os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"))


class Meter(Protocol):
    """Who measures other programs."""

    cores: int
    begun: float  # when it began to measure

    def others(self) -> float:
        """How many of the cores other programs took since the last call, or since the beginning."""


class CoreMeter:
    """Measures the processors on which this process may run.

    Where the system does not tell (a container may hide it), nobody else is seen from then on.
    """

    def __init__(self) -> None:
        self._blind = False
        self._error: Exception | None = None
        self.cores = available_cores()
        self._cpus = allowed_cpus()
        self._last = self._read()
        self.begun = self._last[0]

    def _read(self) -> tuple[float, float, float]:
        """The time, how long the processors have been idle, and how long this process has computed, in seconds."""
        idle = 0.0
        if not self._blind:
            try:
                idle = self._idle()
            except Exception as error:
                self._blind, self._error = True, error
        return time.monotonic(), idle, time.process_time()

    def _idle(self) -> float:
        import psutil

        whole = psutil.cpu_times(percpu=True)
        cpus = [times for number, times in enumerate(whole) if number in self._cpus] or whole
        idle = float(sum(times.idle + getattr(times, "iowait", 0.0) for times in cpus))
        if idle == 0:
            raise OSError(_("the system does not tell how long its processors have been idle"))
        return idle

    def take_error(self) -> Exception | None:
        """Why nothing can be measured any more, once; None while it can."""
        error, self._error = self._error, None
        return error

    def others(self) -> float:
        """How many of the cores other programs took since the last call."""
        before, self._last = self._last, self._read()
        if self._blind:
            return 0.0
        seconds, idle, own = (now - then for now, then in zip(self._last, before, strict=True))
        taken = len(self._cpus) - (idle + own) / max(seconds, 1e-9)
        # Under a limit, what others take is missing only where less is left than the limit grants.
        beyond = max(0.0, len(self._cpus) - min(float(len(self._cpus)), quota()))
        return min(float(self.cores), max(0.0, taken - beyond))


class ThreadCount:
    """How many threads a run has, now.

    Args:
        wanted: what the run's configuration says: a number, or auto.
        flops: multiplications and additions of a training step.
        device: where it is trained; on anything but "cpu", threads are left alone.
        meter: who measures, since the run has begun.
        default: PyTorch's own number; `fixed`: whether the environment has set that.
        clock: seconds.
        apply: called with each number that is chosen, in the thread that trains.
    """

    def __init__(
        self,
        wanted: int | str,
        flops: float,
        device: str,
        meter: Meter,
        *,
        default: int = _DEFAULT,
        fixed: bool = _BY_ENVIRONMENT,
        clock: Callable[[], float] = time.monotonic,
        apply: Callable[[int], object] = torch.set_num_threads,
    ) -> None:
        self._clock, self._apply = clock, apply
        self._meter, cores = meter, meter.cores
        small = device == "cpu" and flops < ONE_THREAD_FLOPS
        if isinstance(wanted, int):
            self._most, self._asked = min(wanted, cores), wanted
        else:
            self._most = self._asked = 1 if small else default if fixed else min(default, cores)
        self._adapts = not (isinstance(wanted, int) or fixed)
        self._watches = device == "cpu" and self._most > 1
        self.number = self._most
        self._looked = self._epoch_began = clock()
        self._crowded = 0  # looks in a row that found too many threads
        self._calm_since: float | None = None
        self._calm = CALM
        self._told = False  # that a fixed number is too large

    def choose(self, step: int = 0, recorded: int = 0) -> events.ThreadsChanged | None:
        """Begin to compute with as many as are idle, or with the number that is `recorded` of the run that goes on.

        Returns what is to be told: that they are fewer than there would be.
        """
        asked, others = recorded or self._asked, 0.0
        if recorded:
            self.number = min(recorded, self._meter.cores if self._adapts else self._most)
            self._most = max(self._most, self.number)
        elif self._watches and self._adapts:
            time.sleep(max(0.0, FIRST_LOOK - (self._clock() - self._meter.begun)))
            others = self._meter.others()
            self.number = self._fitting(others)
        self._apply(self.number)
        self._looked = self._epoch_began = self._clock()
        return self._change(step, asked, others) if self.number < asked else None

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time for a look. Costs next to nothing."""
        if not self._watches:
            return False
        now = self._clock()
        if epoch_ended:
            self._epoch_began = now
        return now - self._looked >= LOOK_EVERY

    def look(self, step: int, *, epoch_ended: bool) -> events.ThreadsChanged | None:
        """Measure, and change the number where that is due; between two training steps, in the thread that trains.

        A lower number comes at the end of an epoch, or within one that takes long; a higher one at an end only.
        """
        now = self._looked = self._clock()
        others = self._meter.others()
        fitting = self._fitting(others)
        self._crowded = self._crowded + 1 if fitting < self.number else 0
        if fitting <= self.number:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now - LOOK_EVERY  # it was idle for all of that look
        if self._crowded >= PATIENCE:
            if not self._adapts:
                told, self._told = self._told, True
                return None if told else self._change(step, self.number, others)
            if epoch_ended or now - self._epoch_began >= LONG_EPOCH:
                return self._use(fitting, step, others)
        elif self._adapts and epoch_ended and self._calm_since is not None and now - self._calm_since >= self._calm:
            self._calm *= 2  # whoever is disturbed again and again is not helped by changing again and again
            return self._use(fitting, step, others)
        return None

    def _fitting(self, others: float) -> int:
        """As many as have a core of their own; half a core is as good as one."""
        return max(1, min(self._most, math.floor(self._meter.cores - others + 0.5)))

    def _use(self, number: int, step: int, others: float) -> events.ThreadsChanged:
        before, self.number = self.number, number
        self._crowded, self._calm_since = 0, None
        self._apply(number)
        return self._change(step, before, others)

    def _change(self, step: int, before: int, others: float) -> events.ThreadsChanged:
        return events.ThreadsChanged(step, self.number, before, self._meter.cores, round(others, 2))

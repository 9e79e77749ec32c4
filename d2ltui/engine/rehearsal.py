"""The step that comes next, taken on a copy: what every line of it will do, before the run itself takes it."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.data.batches import data_iter
from d2ltui.engine.preparation import Prepared
from d2ltui.engine.progress import Progress
from d2ltui.engine.schedule import Schedule
from d2ltui.engine.step import train_step
from d2ltui.engine.step_moments import Recorder
from d2ltui.nn import Network, load_state, make_clip, make_optimizer, set_lr
from d2ltui.spec.config import RunConfig
from d2ltui.spec.step_seen import StepSeen


class Rehearsed(NamedTuple):
    """What is seen of a step, and the network as it is after it."""

    seen: StepSeen
    network: Network


class _Batch(NamedTuple):
    """Samples, and which of the epoch's batches they are, from 1."""

    epoch: int
    number: int
    of: int
    x: Tensor
    y: Tensor


class Rehearsal:
    """Takes the next step of a run on copies of its network, its optimiser and the random states."""

    def __init__(self, config: RunConfig, parts: Prepared, progress: Progress) -> None:
        self._config, self._parts, self._progress = config, parts, progress

    def next_step(self) -> Rehearsed | None:
        """The step that comes next; None where the last one of the run has been taken.

        To be called between two steps, in the thread that takes them. Nothing of the run is changed by it.
        """
        batch = self._next_batch()
        if batch is None:
            return None
        device = self._parts.device
        with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
            return self._take(batch)  # dropout draws here what it will draw for the run

    def seen(self) -> StepSeen | None:
        """What is to be seen of that step."""
        rehearsed = self.next_step()
        return rehearsed.seen if rehearsed is not None else None

    def _next_batch(self) -> _Batch | None:
        parts, progress, size = self._parts, self._progress, self._config.batch_size
        n = len(parts.x_train)
        of = math.ceil(n / size)
        order = torch.Generator()
        order.set_state(progress.epoch_order)
        epoch, start = progress.epoch, progress.step - progress.epoch_began
        if start >= of:  # the epoch's last step has been taken, and the next epoch has not begun yet
            torch.randperm(n, generator=order)
            epoch, start = epoch + 1, 0
        if epoch > self._config.epochs:
            return None
        x, y = next(data_iter(parts.x_train, parts.y_train, size, order, parts.device, start))
        return _Batch(epoch, start + 1, of, x, y)

    def _rate(self, epoch: int) -> float:
        """The learning rate of `epoch`. The run's own schedule cannot go back from the next one."""
        schedule = self._parts.schedule
        if epoch != self._progress.epoch:
            schedule = Schedule(self._config.schedule, self._config.epochs)
        return self._progress.lr * schedule.factor(epoch)

    def _take(self, batch: _Batch) -> Rehearsed:
        config, parts = self._config, self._parts
        network = copy.deepcopy(parts.network)
        optimizer = make_optimizer(config, network)
        load_state(optimizer, copy.deepcopy(parts.optimizer.state_dict()))
        set_lr(optimizer, self._rate(batch.epoch))
        recorder = Recorder(config, network, make_clip(config, network))
        loss, output = train_step(network, optimizer, recorder.clip, batch.x, batch.y)
        moments = (
            *recorder.forward(batch.x, output),
            *recorder.loss(output, batch.y, loss),
            *recorder.backward(loss),
            *recorder.update(optimizer),
        )
        return Rehearsed(StepSeen(batch.epoch, batch.number, batch.of, moments), network)

"""How a run's steps are trained: one by one, or as graphs of the device. The step is `step.train_step` either way.

A graph holds one step or `MOST` of them, with everything that belongs to them: samples are gathered by an index that
lies in a fixed place, losses and outputs are written into fixed places. Between two launches only the index is filled
in, and what the launch before has written is copied away. The last batch of an epoch, where it is smaller, has a graph
of its own. Graphs are recorded after the run's first step, which has made the optimiser's state; what recording them
takes is taken back, so that the run is the same, step by step, as one without graphs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.data.batches import data_iter, draw_order
from d2ltui.engine.graphs import CannotCaptureError, Graphs, NothingWaits, Work
from d2ltui.engine.metrics import scores
from d2ltui.engine.preparation import Prepared
from d2ltui.engine.progress import Progress
from d2ltui.engine.step import train_step
from d2ltui.nn.optim import reads_rate_on_device
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS

MOST = 8  # steps of a launch: on an H200, more of them gain nothing
LAUNCH = 0.01  # seconds that a launch takes at most, where it holds more than one step
AHEAD = 2  # launches that may wait while one is computed: with it, a request is answered after three of them
TIMED = 8  # steps by which it is measured how long one takes


class Steps:
    """The steps of one run.

    Args:
        config, parts: what is trained, on what.
        graphs: those of the device; None to train step by step.
        tell: called with one sentence where steps are not trained as graphs though the device has them.
    """

    def __init__(self, config: RunConfig, parts: Prepared, graphs: Graphs | None, tell: Callable[[str], None]) -> None:
        self._config, self._parts, self._graphs, self._tell = config, parts, graphs, tell
        self._captured: CapturedSteps | None = None

    @property
    def captured(self) -> bool:
        """Whether steps are trained as graphs now."""
        return self._captured is not None

    def epoch(self, progress: Progress, most: Callable[[], float]) -> Iterator[None]:
        """The rest of an epoch. Between two steps, or launches of some, the caller has its turn.

        `most` is asked before each launch how many steps there may be until then.
        """
        if self._graphs is not None and self._captured is None:
            yield from self._one_by_one(progress, steps=1)
            self._capture(self._graphs)
        if self._captured is not None:
            yield from self._captured.epoch(progress, most)
        else:
            yield from self._one_by_one(progress)

    def _one_by_one(self, progress: Progress, steps: int | None = None) -> Iterator[None]:
        """The rest of the epoch; with `steps`, so many of it."""
        parts = self._parts
        network, optimizer, clip, recorder = parts.network, parts.optimizer, parts.clip, parts.recorder
        start = progress.step - progress.epoch_began  # not 0 where a run is resumed
        if start:
            progress.order.set_state(progress.epoch_order)  # the order is drawn when the first batch is asked for
        batches = data_iter(parts.x_train, parts.y_train, self._config.batch_size, progress.order, parts.device, start)
        for x, y in batches:
            loss, output = train_step(network, optimizer, clip, x, y)
            progress.step += 1
            if steps is None:
                recorder.add(loss, output, y)
            else:
                # Nothing of this step may be left when one is recorded: its gradients belong to another stream.
                recorder.add(loss.detach(), output.detach(), y)
                del loss, output
            yield
            if steps is not None and (steps := steps - 1) == 0:
                return

    def _capture(self, graphs: Graphs) -> None:
        why = self._why_not()
        if not why:
            try:
                self._captured = CapturedSteps(self._config, self._parts, graphs)
            except Exception as error:  # whatever it is, the run goes on without
                why = f"{error}" if isinstance(error, CannotCaptureError) else f"{type(error).__name__}: {error}"
        if why:
            self._graphs = None
            first = why.strip().splitlines()[0] if why.strip() else _("the device does not say why")
            self._tell(
                _("each kernel is launched for itself, which is slower than a graph of the step: {first}").format(
                    first=first
                )
            )

    def _why_not(self) -> str:
        """Why nothing is tried; "" where it is."""
        if MODELS[self._config.model].build:
            return _("the model is another package's, whose code may do something else at each step")
        if not reads_rate_on_device(self._parts.optimizer):
            return _("the optimiser {optimizer} reads its learning rate elsewhere").format(
                optimizer=self._config.optimizer
            )
        if self._parts.x_train.device != next(self._parts.network.parameters()).device:
            return _("the training data does not fit into the device's memory")
        return ""


class _Recorded(NamedTuple):
    """A graph of `steps` steps on batches of `size` samples, and its fixed places.

    `places`, of the samples, is (steps, size), `losses` (steps,), `outputs` (steps, size, ...).
    """

    steps: int
    size: int
    launch: Work
    places: Tensor
    losses: Tensor
    outputs: Tensor


class CapturedSteps:
    """The graphs of a run's steps, recorded when this is made.

    Raises:
        Exception: where that cannot be done; network, optimiser and random numbers are as they were before.
    """

    def __init__(self, config: RunConfig, parts: Prepared, graphs: Graphs) -> None:
        self._parts, self._graphs, self._task = parts, graphs, config.task
        self._batch_size = config.batch_size
        self._full, self._rest = divmod(len(parts.x_train), config.batch_size)
        self._marks: deque[Work] = deque()
        self._one = self._many = self._last = None
        before = _State(parts)
        try:
            if self._full:
                self._one = self._record(1, self._batch_size, warm=True)
                many = min(MOST, int(LAUNCH / self._seconds(self._one)), parts.capacity, self._full)
                self._many = self._record(many, self._batch_size) if many > 1 else None
            self._last = self._record(1, self._rest, warm=True) if self._rest else None
        finally:
            before.restore()
        before.check()

    def _record(self, steps: int, size: int, *, warm: bool = False) -> _Recorded:
        parts = self._parts
        network, optimizer, clip, x_train, y_train = (
            parts.network,
            parts.optimizer,
            parts.clip,
            parts.x_train,
            parts.y_train,
        )
        index = torch.arange(size, device=parts.device).repeat(steps, 1)  # any samples will do
        with torch.no_grad():
            output = network(x_train[:1])
        losses = torch.zeros(steps, dtype=output.dtype, device=parts.device)
        outputs = torch.zeros((steps, size, *output.shape[1:]), dtype=output.dtype, device=parts.device)
        rows = list(zip(index.unbind(), losses.unbind(), outputs.unbind(), strict=True))

        def work() -> None:
            for at, loss_place, output_place in rows:
                x, y = x_train.index_select(0, at), y_train.index_select(0, at)
                loss, output = train_step(network, optimizer, clip, x, y)
                loss_place.copy_(loss.detach())
                output_place.copy_(output.detach())

        if warm:
            with NothingWaits():  # type: ignore[no-untyped-call]
                work()
            self._forget_gradients()
            self._graphs.warm_up(work)
        self._forget_gradients()
        launch = self._graphs.capture(work)
        self._forget_gradients()
        return _Recorded(steps, size, launch, index, losses, outputs)

    def _forget_gradients(self) -> None:
        """They lie in memory that belongs to the work before."""
        for parameter in self._parts.network.parameters():
            parameter.grad = None

    def _seconds(self, graph: _Recorded) -> float:
        """That one launch takes."""
        graph.launch()
        self._graphs.mark()()
        began = time.perf_counter()
        for __ in range(TIMED):
            graph.launch()
        self._graphs.mark()()
        return max(1e-6, (time.perf_counter() - began) / TIMED)

    def epoch(self, progress: Progress, most: Callable[[], float]) -> Iterator[None]:
        """See `Steps.epoch`."""
        parts = self._parts
        done = progress.step - progress.epoch_began
        if done:
            progress.order.set_state(progress.epoch_order)
        order = draw_order(len(parts.x_train), progress.order, parts.device)
        labels = parts.y_train.index_select(0, order)
        while (graph := self._next(done, most)) is not None:
            low = done * self._batch_size
            high = low + graph.steps * graph.size
            graph.places.copy_(order[low:high].view(graph.steps, graph.size))
            graph.launch()
            done += graph.steps
            progress.step += graph.steps
            found = scores(self._task, graph.outputs.flatten(0, 1), labels[low:high])
            parts.recorder.add_block(graph.losses.clone(), found, [graph.size] * graph.steps)
            self._marks.append(self._graphs.mark())
            if len(self._marks) > AHEAD:
                self._marks.popleft()()
            yield

    def _next(self, done: int, most: Callable[[], float]) -> _Recorded | None:
        """What to launch after `done` steps of the epoch."""
        left = self._full - done
        if self._many is not None and self._many.steps <= left and self._many.steps <= most():
            return self._many
        if left > 0:
            return self._one
        return self._last if left == 0 else None


class _State:
    """All that a step changes: parameters, buffers, the optimiser's state, PyTorch's random numbers."""

    def __init__(self, parts: Prepared) -> None:
        self._parts = parts
        self._kept = [(tensor, tensor.detach().clone()) for tensor in self._tensors()]
        self._random = torch.get_rng_state()
        on_gpu = parts.device.type == "cuda"
        self._random_cuda = torch.cuda.get_rng_state(parts.device) if on_gpu else None

    def _tensors(self) -> list[Tensor]:
        network = self._parts.network
        states = getattr(self._parts.optimizer, "state", {}).values()
        of_optimizer = (value for state in states for value in state.values() if isinstance(value, Tensor))
        return [*network.parameters(), *network.buffers(), *of_optimizer]

    @torch.no_grad()
    def restore(self) -> None:
        """To the bit, in the same places."""
        for tensor, value in self._kept:
            tensor.copy_(value)
        torch.set_rng_state(self._random)
        if self._random_cuda is not None:
            torch.cuda.set_rng_state(self._random_cuda, self._parts.device)

    def check(self) -> None:
        """That nothing has come that was not there before.

        Raises:
            CannotCaptureError: where something has, whose first value is not known.
        """
        if [id(tensor) for tensor in self._tensors()] != [id(tensor) for tensor, __ in self._kept]:
            raise CannotCaptureError(_("a step puts other tensors in the place of the network's or the optimiser's"))

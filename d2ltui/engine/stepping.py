"""How a run's steps are trained: one by one, or as graphs of the device. The step is `step.train_step` either way.

Graphs are recorded after the run's first step, which has made the optimiser's state; `launches` says how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from d2ltui.data.batches import data_iter, draw_order
from d2ltui.engine.graphs import CannotCaptureError, Graphs, slower
from d2ltui.engine.launches import Laid, Launches
from d2ltui.engine.metrics import scores
from d2ltui.engine.preparation import Prepared
from d2ltui.engine.progress import Progress
from d2ltui.engine.step import train_step
from d2ltui.nn.optim import reads_rate_on_device
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS


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
            self._tell(slower(first))

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


class CapturedSteps:
    """The graphs of a run's steps, recorded when this is made.

    Raises:
        Exception: where that cannot be done; network, optimiser and random numbers are as they were before.
    """

    def __init__(self, config: RunConfig, parts: Prepared, graphs: Graphs) -> None:
        self._parts, self._task, self._batch_size = parts, config.task, config.batch_size
        self._launches = Launches(
            graphs,
            self._lay,
            self._tensors,
            device=parts.device,
            samples=len(parts.x_train),
            batch_size=config.batch_size,
            most=parts.capacity,
            forget=self._forget_gradients,
        )

    def _lay(self, steps: int, size: int) -> Laid:
        """Losses (steps,) and outputs (steps, size, ...) of batches whose samples are (steps, size)."""
        parts = self._parts
        network, optimizer, clip, x_train, y_train = (
            parts.network,
            parts.optimizer,
            parts.clip,
            parts.x_train,
            parts.y_train,
        )
        places = torch.arange(size, device=parts.device).repeat(steps, 1)  # any samples will do
        with torch.no_grad():
            output = network(x_train[:1])
        losses = torch.zeros(steps, dtype=output.dtype, device=parts.device)
        outputs = torch.zeros((steps, size, *output.shape[1:]), dtype=output.dtype, device=parts.device)
        rows = list(zip(places.unbind(), losses.unbind(), outputs.unbind(), strict=True))

        def work() -> None:
            for at, loss_place, output_place in rows:
                x, y = x_train.index_select(0, at), y_train.index_select(0, at)
                loss, output = train_step(network, optimizer, clip, x, y)
                loss_place.copy_(loss.detach())
                output_place.copy_(output.detach())

        return Laid(steps, size, work, places, (losses, outputs))

    def _tensors(self) -> list[Tensor]:
        """Parameters, buffers, the optimiser's state."""
        network = self._parts.network
        states = getattr(self._parts.optimizer, "state", {}).values()
        of_optimizer = (value for state in states for value in state.values() if isinstance(value, Tensor))
        return [*network.parameters(), *network.buffers(), *of_optimizer]

    def _forget_gradients(self) -> None:
        """They lie in memory that belongs to the work before."""
        for parameter in self._parts.network.parameters():
            parameter.grad = None

    def epoch(self, progress: Progress, most: Callable[[], float]) -> Iterator[None]:
        """See `Steps.epoch`."""
        parts = self._parts
        done = progress.step - progress.epoch_began
        if done:
            progress.order.set_state(progress.epoch_order)
        order = draw_order(len(parts.x_train), progress.order, parts.device)
        labels = parts.y_train.index_select(0, order)
        while (graph := self._launches.next(done, most)) is not None:
            steps, size, __, places, (losses, outputs) = graph.laid
            low = done * self._batch_size
            high = low + steps * size
            places.copy_(order[low:high].view(steps, size))
            graph.launch()
            done += steps
            progress.step += steps
            found = scores(self._task, outputs.flatten(0, 1), labels[low:high])
            parts.recorder.add_block(losses.clone(), found, [size] * steps)
            self._launches.launched()
            yield

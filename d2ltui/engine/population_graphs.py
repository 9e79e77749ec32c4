"""A population's steps as graphs of its device: `population_step`, with all that belongs to it, several a launch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from d2ltui.data.batches import draw_order
from d2ltui.engine.graphs import Graphs
from d2ltui.engine.launches import Laid, Launches
from d2ltui.engine.metrics import scores
from d2ltui.engine.step import population_step
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.nn.batched_optim import BatchedOptimizer
from d2ltui.spec.catalogue import Task
from d2ltui.spec.language import _


def why_not(network: BatchedNetwork, x_train: Sequence[Tensor]) -> str:
    """Why no graph of these networks' steps is tried, in words that follow "because"; "" where it is."""
    if network.drops:
        return _("each network's dropout is drawn on the processor")
    if any(one.device != network.parameters.device for one in x_train):
        return _("the training data does not fit into the device's memory")
    return ""


class PopulationSteps:
    """The graphs of the steps of D data sets' members, recorded when this is made. Members that leave need new ones.

    Args:
        graphs: the device's.
        network, optimizer: the members'.
        task: theirs; `scored` where what each sample has scored is wanted, too.
        x_train, y_train: the data sets, all on the device, which may be the same tensors.
        groups: which of them each member has, (P,); None where that is the only one, or its own, in order.
        batch_size: of the members.
        most: how many steps a launch may have.

    Raises:
        Exception: where they cannot be recorded; nothing has changed then.
    """

    def __init__(
        self,
        graphs: Graphs,
        network: BatchedNetwork,
        optimizer: BatchedOptimizer,
        *,
        task: Task,
        scored: bool,
        x_train: Sequence[Tensor],
        y_train: Sequence[Tensor],
        groups: Tensor | None,
        batch_size: int,
        most: int,
    ) -> None:
        self._network, self._optimizer, self._task, self._scored = network, optimizer, task, scored
        self._x, self._groups, self._batch_size = x_train, groups, batch_size
        self._n, self._device = len(x_train[0]), network.parameters.device
        # One after the other, where they are several: a sample's number then says which one it belongs to, too.
        several = len(x_train) > 1 and any(one is not x_train[0] for one in x_train)
        self._flat_x, self._flat_y = (torch.cat(list(one)) if several else one[0] for one in (x_train, y_train))
        first = torch.arange(len(x_train), device=self._device) * (self._n if several else 0)
        self._first = first.unsqueeze(1)
        self.layout = optimizer.layout
        self._launches = Launches(
            graphs,
            self._lay,
            lambda: [network.parameters, *optimizer.states],
            device=self._device,
            samples=self._n,
            batch_size=batch_size,
            most=most,
        )
        self._memory = network.memory()  # which graphs use, whoever else lets go of it

    def _lay(self, steps: int, size: int) -> Laid:
        """Losses and scores (steps, P) of batches whose samples are (steps, D, size)."""
        network, optimizer, task, groups = self._network, self._optimizer, self._task, self._groups
        scored = self._scored  # and not this object: what it keeps would keep it
        x_train, y_train = self._flat_x, self._flat_y
        sets = len(self._first)
        places = torch.arange(size, device=self._device).repeat(steps, sets, 1)  # any samples will do
        losses = torch.zeros((steps, network.size), dtype=network.parameters.dtype, device=self._device)
        found = torch.zeros_like(losses)
        moments = optimizer.moments(steps)
        rows = list(zip(places.unbind(), moments.unbind(), losses.unbind(), found.unbind(), strict=True))

        def work() -> None:
            for at, moment, loss_place, score_place in rows:
                flat = at.flatten()
                x = x_train.index_select(0, flat).view(sets, size, *x_train.shape[1:])
                y = y_train.index_select(0, flat).view(sets, size, *y_train.shape[1:])
                if groups is not None:
                    x, y = x.index_select(0, groups), y.index_select(0, groups)
                optimizer.begin(moment)
                loss, output = population_step(network, optimizer, x, y)
                loss_place.copy_(loss)
                if scored:
                    score_place.copy_(scores(task, output, y).sum(dim=1))

        return Laid(steps, size, work, places, (losses, found, moments))

    @torch.no_grad()
    def epoch(
        self, orders: Sequence[torch.Generator], most: Callable[[], int]
    ) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """One epoch, in an order that each data set's generator draws, as it does for steps taken one by one.

        Yields, after each launch: how many steps it was, of how many samples each, their losses and scores (steps, P),
        which the next launch overwrites. `most` is asked before each how many steps there may be.
        """
        order = torch.stack([draw_order(self._n, one, self._device) for one in orders]) + self._first
        done = 0
        while (graph := self._launches.next(done, most)) is not None:
            steps, size, __, places, (losses, found, moments) = graph.laid
            low = done * self._batch_size
            places.copy_(order[:, low : low + steps * size].view(-1, steps, size).transpose(0, 1))
            moments.copy_(self._optimizer.moments(steps))
            self._optimizer.took(steps)
            graph.launch()
            done += steps
            self._launches.launched()
            yield steps, size, losses, found

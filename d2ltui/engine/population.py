"""A population: networks of one shape that are trained together, each as it would be trained alone.

Each member has its own seed, and with it its own initial weights, data, order of batches and dropout; and its own
learning rate, momentum, weight decay, probability of dropout, label smoothing and initialisation. Members never meet:
one that diverges harms nobody, and makes room for the others at the end of the epoch.

`joining` says who can be a member of which population, and how many of them fit into memory; `Population` trains them.
What is told of them, and to whom, is `Watcher`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.data.batches import stacked_iter
from d2ltui.diagnosis.probes import probe_batch
from d2ltui.engine.control import Control
from d2ltui.engine.device import place
from d2ltui.engine.evaluation import VALUES_GPU
from d2ltui.engine.graphs import CannotCaptureError, Graphs
from d2ltui.engine.metrics import r_squared, scores
from d2ltui.engine.population_graphs import PopulationSteps, why_not
from d2ltui.engine.reporting import LARGEST_LOSS
from d2ltui.engine.schedule import Schedule
from d2ltui.engine.step import population_step
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.nn.batched_optim import BatchedOptimizer
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig

Floats = npt.NDArray[np.float64]
Key = tuple[object, ...]

BLOCK = 256  # steps whose figures are fetched together
PUBLISH_EVERY = 0.1  # seconds between two looks at what is asked for
# Values of a layer that are evaluated at once on a processor: four times as many, as a single network takes, take half
# as long again, for each new tensor of that size comes from the system.
VALUES_CPU = 1 << 18
LOST = 1 / 8  # of the members: when so many have diverged, the others go on without them


class Block(NamedTuple):
    """Steps of the members that are trained now, the last of which is number `step`.

    `losses` and `metrics` are (steps, members), in the precision of the weights; `sizes`, of the batches, (steps,).
    """

    step: int
    losses: npt.NDArray[np.floating]
    metrics: npt.NDArray[np.floating]
    sizes: npt.NDArray[np.int64]


class EpochFigures(NamedTuple):
    """What an epoch ended with, for each of the members that are trained now: (members,)."""

    train_loss: Floats
    val_loss: Floats
    train_metric: Floats
    val_metric: Floats


class Watcher(Protocol):
    """Who is told how a population fares. `members` are the indices of those that are trained now, in order."""

    def steps(self, members: Sequence[int], block: Block) -> None:
        """Some steps have been trained."""

    def epoch(self, members: Sequence[int], number: int, figures: EpochFigures) -> None:
        """An epoch has ended."""

    def between(self) -> None:
        """Between two steps, ten times a second, and at once where the control has a request; what it raises passes."""


class Population:
    """Trains members of one shape to their end.

    Args:
        configs: the members'; `may_join` is the same for all.
        data: each member's, which may be the same objects.
        device: where to train.
        control: only its `attention` is looked at; requests are the watcher's business.
        dtype: of weights and data.
        metrics: whether the batches' accuracy is told, too; of regression R² always is.
        graphs: those of the device, as which steps are taken where it has some.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: Sequence[Dataset],
        device: torch.device,
        control: Control,
        *,
        dtype: torch.dtype = torch.float32,
        graphs: Graphs | None = None,
    ) -> None:
        self._graphs = graphs
        self._recorded: PopulationSteps | None = None
        self.why_not = ""  # why steps are not taken as graphs of a device that has them
        self.configs, self._control, self._device = tuple(configs), control, device
        config = self.configs[0]
        self._task, self._batch_size, self.epochs = config.task, config.batch_size, config.epochs
        self.plan = catalogue.layer_plan(config, data[0].info)
        self.members = list(range(len(configs)))  # who is trained now, by index
        self.network = BatchedNetwork(configs, self.plan, dtype=dtype, device=device)
        self.optimizer = BatchedOptimizer(configs, self.network, for_graphs=graphs is not None)
        self._schedule = Schedule(config.schedule, config.epochs)
        self._place_data(data, dtype)
        self.step = 0
        self.broken_loss = np.full(len(configs), np.nan)  # with which a member has diverged
        self.broken_step = np.zeros(len(configs), np.int64)  # and when; 0 for those that have not
        self.first_loss = np.full(len(configs), np.inf)
        self._left: set[int] = set()  # members that are to be trained no more
        rows = (BLOCK, len(configs))
        self._losses = torch.zeros(rows, dtype=dtype, device=device)
        self._scores = torch.zeros(rows, dtype=dtype, device=device)
        self._sizes: list[int] = []
        self._sums = np.zeros((3, len(configs)))
        self.due = 0.0  # when to ask the watcher next; it may be set to 0 to be asked after the very next step
        self._begin_epoch()

    def _place_data(self, data: Sequence[Dataset], dtype: torch.dtype) -> None:
        """Members with the same seed have the same data, in the same order: each is gathered once."""
        seeds = list(dict.fromkeys(config.seed for config in self.configs))
        chosen = [data[next(i for i, c in enumerate(self.configs) if c.seed == seed)] for seed in seeds]
        self._groups = torch.tensor([seeds.index(config.seed) for config in self.configs], device=self._device)
        self._orders = [torch.Generator().manual_seed(derive_seed(seed, "order")) for seed in seeds]
        regression = self._task == "regression"
        placed: dict[int, tuple[Tensor, Tensor, str]] = {}
        for one in chosen:
            if id(one) not in placed:
                labels = one.y_train.to(dtype) if regression else one.y_train
                placed[id(one)] = place(one.x_train.to(dtype), labels, self._device)
        self._x_train, self._y_train, where = zip(*(placed[id(one)] for one in chosen), strict=True)
        self.residence = str(where[0])
        same = all(one is chosen[0] for one in chosen)
        parts = chosen[:1] if same else chosen
        self._x_val = torch.stack([one.x_val for one in parts]).to(self._device, dtype)
        y_val = torch.stack([one.y_val for one in parts]).to(self._device)
        self._y_val = y_val.to(dtype) if regression else y_val
        width = max(layer.num_values for layer in self.plan)
        probes = [probe_batch(one.x_train, one.y_train, width) for one in parts]
        self._x_probe = torch.stack([x for x, _ in probes]).to(self._device, dtype)
        y_probe = torch.stack([y for _, y in probes]).to(self._device)
        self._y_probe = y_probe.to(dtype) if regression else y_probe
        of_member = [0] * len(self.configs) if same else self._groups.tolist()
        variances = [(_variance(one.y_train), _variance(one.y_val)) if regression else (1.0, 1.0) for one in parts]
        self._variances = np.array([variances[group] for group in of_member]).T  # (2, members)
        self._of_member = torch.tensor(of_member, device=self._device)

    def _for_members(self, tensor: Tensor, groups: Tensor) -> Tensor:
        """Of tensors for each data set, (D, ...), that of each member: (P, ...), or (1, ...) for all alike."""
        if len(tensor) == 1 or (len(tensor) == len(groups) and self._straight):
            return tensor
        return tensor.index_select(0, groups)

    @property
    def _straight(self) -> bool:
        """Whether each member has data of its own, in order."""
        return self.members == list(range(len(self.configs)))

    # Training

    def train(self, watcher: Watcher) -> None:
        """Train all members for all their epochs, or until none is left."""
        self.due = time.perf_counter() + PUBLISH_EVERY
        with torch.no_grad():
            for epoch in range(1, self.epochs + 1):
                self.optimizer.set_factor(self._schedule.factor(epoch))
                self._train_epoch(watcher)
                self._begin_epoch()
                watcher.epoch(tuple(self.members), epoch, self._end_epoch())
                self._compact()
                if not self.members:
                    return
                watcher.between()

    def _begin_epoch(self) -> None:
        self._order_states = [order.get_state() for order in self._orders]

    def _train_epoch(self, watcher: Watcher) -> None:
        control, clock = self._control, time.perf_counter
        self._sums = np.zeros((3, len(self.configs)))
        for steps in self._captured() or self._one_by_one():
            self.step += steps
            if len(self._sizes) == BLOCK:
                self.publish(watcher)
            if control.attention or clock() >= self.due:
                self.due = clock() + PUBLISH_EVERY
                watcher.between()
        self.publish(watcher)

    @property
    def _shared(self) -> bool:
        """Whether a batch of all data sets is not yet one of all members."""
        return not (len(self._orders) == 1 or (len(self._orders) == len(self.members) and self._straight))

    def _one_by_one(self) -> Iterator[int]:
        """An epoch's steps; how many each was, which is one."""
        network, optimizer, task = self.network, self.optimizer, self._task
        shared, groups = self._shared, self._groups
        loss_rows, score_rows = self._losses.unbind(), self._scores.unbind()
        for x, y in stacked_iter(self._x_train, self._y_train, self._batch_size, self._orders, self._device):
            if shared:
                x, y = x.index_select(0, groups), y.index_select(0, groups)
            optimizer.advance()
            loss, output = population_step(network, optimizer, x, y)
            row = len(self._sizes)
            loss_rows[row].copy_(loss)
            if self._scored:
                score_rows[row].copy_(scores(task, output, y).sum(dim=1))
            self._sizes.append(x.shape[1])
            yield 1

    @property
    def _scored(self) -> bool:
        return self._task == "classification"

    def _captured(self) -> Iterator[int] | None:
        """An epoch's steps, as graphs, how many each launch was; None where there are none."""
        if self._graphs is None:
            return None
        if self._recorded is None or self._recorded.layout != self.optimizer.layout:
            self._recorded = self._record(self._graphs)
        return self._launched(self._recorded) if self._recorded is not None else None

    def _record(self, graphs: Graphs) -> PopulationSteps | None:
        self.why_not = why_not(self.network, self._x_train)
        if not self.why_not:
            try:
                return PopulationSteps(
                    graphs,
                    self.network,
                    self.optimizer,
                    task=self._task,
                    scored=self._scored,
                    x_train=self._x_train,
                    y_train=self._y_train,
                    groups=self._groups if self._shared else None,
                    batch_size=self._batch_size,
                    most=BLOCK,
                )
            except Exception as error:  # whatever it is, training goes on without
                said = f"{error}" if isinstance(error, CannotCaptureError) else f"{type(error).__name__}: {error}"
                self.why_not = next(iter(said.strip().splitlines()), type(error).__name__)
        self._graphs = None
        return None

    def _launched(self, recorded: PopulationSteps) -> Iterator[int]:
        def most() -> int:
            return 1 if self._control.attention or not self.due else BLOCK - len(self._sizes)

        for steps, size, losses, found in recorded.epoch(self._orders, most):
            row = slice(len(self._sizes), len(self._sizes) + steps)
            self._losses[row].copy_(losses)
            if self._scored:
                self._scores[row].copy_(found)
            self._sizes += [size] * steps
            yield steps

    def publish(self, watcher: Watcher) -> None:
        """Tell the steps since the last time."""
        n = len(self._sizes)
        if not n:
            return
        sizes = np.array(self._sizes)
        self._sizes = []
        losses = self._losses[:n].cpu().numpy().copy()
        if self._task == "classification":
            metrics = self._scores[:n].double().cpu().numpy() / sizes[:, None]
        else:
            scale = 2.0 if self.configs[0].implementation == "scratch" else 1.0  # that of ½(ŷ − y)²
            metrics = _r_squared(scale * losses.astype(np.float64), self._variances[0, self.members])
        metrics = metrics.astype(losses.dtype)
        if self.step == n:
            self.first_loss[self.members] = losses[0]
        with np.errstate(invalid="ignore", over="ignore"):
            broken = ~(losses <= LARGEST_LOSS)
            self._sums[:, self.members] += (
                sizes @ losses.astype(np.float64),
                sizes @ metrics.astype(np.float64),
                np.full(len(self.members), sizes.sum()),
            )
        for column in np.flatnonzero(broken.any(axis=0)):
            first = int(np.argmax(broken[:, column]))
            self._break(self.members[column], float(losses[first, column]), self.step - n + first + 1)
        watcher.steps(tuple(self.members), Block(self.step, losses, metrics, sizes))

    def _break(self, member: int, loss: float, step: int) -> None:
        if not self.broken_step[member]:
            self.broken_step[member], self.broken_loss[member] = step, loss
            self._left.add(member)

    def diverged(self, member: int) -> bool:
        """Whether a loss of this member was no longer finite, or absurd."""
        return bool(self.broken_step[member])

    def _end_epoch(self) -> EpochFigures:
        val_loss, val_score = self.evaluate()
        regression = self._task == "regression"
        val_metric = _r_squared(val_score, self._variances[1, self.members]) if regression else val_score
        for column in np.flatnonzero(~(val_loss <= LARGEST_LOSS)):
            self._break(self.members[column], float(val_loss[column]), self.step)
        loss, metric, samples = self._sums[:, self.members]
        with np.errstate(invalid="ignore"):
            return EpochFigures(loss / samples, val_loss, metric / samples, val_metric)

    @torch.no_grad()
    def evaluate(self) -> tuple[Floats, Floats]:
        """Mean loss and mean score of each member on its validation part, without dropout: (members,)."""
        values = VALUES_CPU if self._device.type == "cpu" else VALUES_GPU
        widest = max(self._x_val.shape[2], *(layer.num_values for layer in self.plan))
        size = max(1, values // (widest * len(self.members)))
        n = self._x_val.shape[1]
        losses = totals = self._x_val.new_zeros(())
        parts = zip(torch.split(self._x_val, size, dim=1), torch.split(self._y_val, size, dim=1), strict=True)
        for x, y in parts:
            x, y = self._for_members(x, self._of_member), self._for_members(y, self._of_member)
            output = self.network.forward(x)
            losses = losses + self.network.loss(output, y).double() * x.shape[1]
            totals = totals + scores(self._task, output, y).double().sum(dim=1)
        return (losses / n).cpu().numpy(), (totals / n).cpu().numpy()

    def probe_data(self) -> tuple[Tensor, Tensor]:
        """The samples on which the members' layers are looked at: (P or 1, n, ...)."""
        return self._for_members(self._x_probe, self._of_member), self._for_members(self._y_probe, self._of_member)

    def random_states(self, member: int) -> tuple[Tensor, Tensor]:
        """Of a member's order of the data when its epoch began, and of its dropout now."""
        row = self.members.index(member)
        return self._order_states[int(self._groups[row])], self.network.random_state(row)

    # Who is trained

    def leave(self, member: int) -> None:
        """Train a member no more; it is there until the end of the epoch."""
        self._left.add(member)

    def set_lr(self, member: int, lr: float) -> None:
        """Another learning rate for a member."""
        self.optimizer.set_lr(self.members.index(member), lr)

    def _compact(self) -> None:
        """Go on without those that have left, once they are many."""
        gone = self._left.intersection(self.members)
        if not gone or len(gone) < LOST * len(self.members):
            return
        index = torch.tensor([i for i, member in enumerate(self.members) if member not in gone], dtype=torch.int64)
        self.members = [member for member in self.members if member not in gone]
        if not self.members:
            return
        self.optimizer.keep(index)
        self.network.keep(index)
        self.optimizer.kept()
        places = index.to(self._device)
        self._groups, self._of_member = self._groups[places], self._of_member[places]
        self._losses = self._losses[:, : len(index)].contiguous()
        self._scores = self._scores[:, : len(index)].contiguous()


def _variance(labels: Tensor) -> float:
    return float(labels.cpu().double().var(correction=0))  # not every accelerator has float64


def _r_squared(errors: Floats, variances: Floats) -> Floats:
    """R² from mean squared errors (..., members) and the variance of each member's labels (members,)."""
    columns = [r_squared(errors[..., i], variance) for i, variance in enumerate(variances.tolist())]
    return np.stack(columns, axis=-1)

"""A run that is trained as a member of a population, and told as its own trainer would tell it.

The events are the same, in the same order, and so are checkpoints: a member that was stopped goes on alone. For a look
at its layers, and for a checkpoint, its weights are copied into a network of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from d2ltui.data import Dataset
from d2ltui.diagnosis.probes import probe, probe_batch
from d2ltui.engine import resuming, summary
from d2ltui.engine.checkpoint import Checkpoint, CheckpointSchedule, CheckpointSink
from d2ltui.engine.checkup import check_start
from d2ltui.engine.control import Control
from d2ltui.engine.examination import examine_run
from d2ltui.engine.giving_up import GivingUp
from d2ltui.engine.observers import Sinks, inspection_of
from d2ltui.engine.population import Block, Population
from d2ltui.engine.preparation import prepare
from d2ltui.engine.progress import Progress
from d2ltui.engine.reporting import LARGEST_LOSS, tell_epoch, tell_steps
from d2ltui.engine.workbench import Workbench
from d2ltui.nn import build, set_lr
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _


class Member:
    """One run of a population.

    Args:
        config: the run.
        control: what is asked of this member alone.
        sinks: called with every event.
        keeper: takes checkpoints.
        give_up: told why, where the run will not learn any more; None where that is not asked.
    """

    def __init__(
        self,
        config: RunConfig,
        control: Control,
        sinks: Sequence[events.Sink],
        keeper: CheckpointSink | None,
        give_up: Callable[[events.Finding], None] | None = None,
    ) -> None:
        self.config, self.control, self._give_up = config, control, give_up
        self.emit = Sinks(sinks)
        self.progress = Progress(config)
        self.pace = CheckpointSchedule(keeper, partial(self.emit.tell_failure, _("storing checkpoints")))
        self.ended = False
        self._device = config.device
        self._threads = 0
        self._population: Population | None = None
        self._row = 0

    def prepare(
        self, data: Dataset, device: torch.device, residence: str, threads: int, sample_every: float | None
    ) -> None:
        """Build a network of its own, which is on the CPU, wherever the population is trained: on `device`.

        `residence` says where the training data is there.
        """
        config = self.config
        self._given = data, device, residence, threads, sample_every
        self._device, self._residence, self._threads, self.data = str(device), residence, threads, data
        device = torch.device("cpu")  # it is looked at only, now and then, and there may be many
        plan = catalogue.layer_plan(config, data.info)
        self.network = build(config, device=device, dataset=data.info)
        self.parts = prepare(config, data, self.network, device)
        x, y = probe_batch(data.x_train, data.y_train, max(spec.num_values for spec in plan), device)
        self._bench = bench = Workbench(config, data, device, plan, self.network, self.parts, x, y, self.control)
        self._giving_up = None
        if self._give_up is not None:
            look = self._with_weights(partial(probe, self.network, x, y))
            guess, failed = self.parts.guess, self.emit.tell_failure
            self._giving_up = GivingUp(config, bench.classes, guess, look, self._give_up, failed)
        self.inspection = inspection_of(bench, self.emit, sample_every, samples=False)

    def tell_start(self) -> None:
        """Tell that the run begins: once all that are trained together are prepared, for none of them begins twice."""
        data = self.data
        self.emit(
            events.RunStarted(
                config=self.config,
                device=self._device,
                layers=self._bench.plan,
                num_train=len(data.x_train),
                num_val=len(data.x_val),
                steps_per_epoch=math.ceil(len(data.x_train) / self.config.batch_size),
                residence=self._residence,
                threads=self._threads,
            )
        )

    def join(self, population: Population, row: int) -> None:
        """Be member number `row` of `population` from now on."""
        self._population, self._row = population, row
        self.pace.keep(self._checkpoint)
        self._judge_layers(last=False)
        self.inspection.check_start(partial(check_start, self._bench))
        self.emit(events.StatusChanged("training"))

    def begin_again(self, why: str) -> None:
        """Forget what has been trained, for a reason told in a sentence: it can join another population then.

        A learning rate that somebody has asked for is asked for again.
        """
        asked = self.control.take_lr()
        self._population, changed = None, self.progress.lr if asked is None else asked
        self.progress = Progress(self.config)
        self.emit.step = 0
        self.prepare(*self._given)
        self.keep()  # what is stored is of a later step, and the process may be killed before this one's turn comes
        self.emit(events.RunResumed(0, 1, 0.0, self.config.lr))
        self.emit(events.StatusChanged("loading"))  # until its turn comes
        self.emit(events.Noted(0, why))
        if changed != self.config.lr:
            self.control.set_lr(changed)

    @property
    def rate(self) -> float:
        """The learning rate of this epoch."""
        return self.progress.lr * self.parts.schedule.factor(min(self.progress.epoch, self.config.epochs))

    # What becomes of it

    def take_steps(self, column: int, block: Block, seconds: float) -> None:
        """Tell what the population has trained since the last time, of which `column` is this member's."""
        self.progress.clock.set(seconds)
        self.progress.step = block.step
        losses, metrics = block.losses[:, column].copy(), block.metrics[:, column].copy()
        tell_steps(losses, metrics, block.sizes, self.progress, self.emit)

    def end_epoch(self, number: int, val_loss: float, val_metric: float) -> None:
        """Tell the end of an epoch."""
        tell_epoch(number, val_loss, val_metric, self.progress, self.emit)
        self.progress.begin_epoch(number + 1)

    @property
    def judged(self) -> bool:
        """Whether somebody asks, after each epoch, whether it will learn."""
        return self._giving_up is not None

    def judge(self) -> events.Finding | None:
        """Why the run is given up after the epoch that has just ended; None where there is hope, or nobody asks."""
        if self._giving_up is None:
            return None
        why = self._giving_up.after(self.progress.epochs, self.progress.first_loss)
        if why is not None:
            self.inspection.give_up(why)
        return why

    def _with_weights(self, look: Callable[..., events.LayersProbed]) -> Callable[[int], events.LayersProbed]:
        def looking(step: int) -> events.LayersProbed:
            self._copy_weights()
            return look(step=step)

        return looking

    def look(self) -> None:
        """Look at the layers, and tell what is seen."""
        self._copy_weights()
        self.inspection.look(self.progress.step, units=False)

    def _judge_layers(self, *, last: bool) -> None:
        """Look at the start or at the end, and tell what is found, too."""
        self._copy_weights()
        self.inspection.look_and_judge(self.progress, self.rate, units=last)

    def arm(self) -> None:
        """Get ready to measure the next step."""
        self._copy_weights()
        self.inspection.arm(self.progress.step)

    def keep(self) -> None:
        """Have a checkpoint stored."""
        self.pace.keep(self._checkpoint)

    def end(self, status: events.Status, message: str = "", error: Exception | None = None) -> None:
        """Tell the end: `finished`, unless the run has diverged; `stopped`; or `failed` of `error`."""
        at, trace, field, parameters = self.progress, None, "", None
        self.ended, ran_away = True, False
        if error is not None:
            layers = self.network.plan if hasattr(self, "network") else ()
            field, message, trace = summary.describe_error(error, self.config, self._device, layers)
        elif at.broken_loss is not None:
            status, message = "diverged", summary.diverged(at.broken_loss, at.step, at.lr, LARGEST_LOSS)
        elif status == "finished":
            last = at.epochs[-1]
            message = summary.result(self.config.task, last)
            if ran_away := self._bench.has_run_away(at.epochs, at.first_loss):
                status = "diverged"
                message = summary.ran_away(last, at.first_loss, self.parts.guess, at.lr)
        if self._population is not None:
            if status in ("finished", "stopped"):
                self.keep()
            if error is None:
                self._judge_layers(last=True)
                if status != "stopped":  # nothing is tried: each trial would be one more run
                    examine_run(self._bench, at, self.inspection, self.emit, self.rate, ran_away, trial=None)
            if self.config.task == "regression":
                parameters = summary.parameters(self.network, self.data.truth)
        totals = summary.summary(self.config, self._device, status, at.epochs, at.step, at.clock.seconds, parameters)
        self.emit.end(events.RunEnded(status, message, totals, field, trace))
        # Others may be trained after this one, and want the memory. What gives up looks at this member: a circle.
        self._giving_up = self._population = None

    # Its own network

    @torch.no_grad()
    def _copy_weights(self) -> None:
        assert self._population is not None
        if self._row not in self._population.members:
            return  # it has left: its network is what it was then
        row = self._population.members.index(self._row)
        network = self._population.network
        self._assign(network.of_member(network.parameters, row), self._parameters())

    def _parameters(self) -> list[Tensor]:
        return [part for __, weight, bias in self.network.linear_parameters() for part in (weight, bias)]

    def _assign(self, sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
        """Copy weights (n_in, n_out) and biases into the network's own, which torch.nn keeps as (n_out, n_in)."""
        for source, target in zip(sources, targets, strict=True):
            turned = source.dim() > 1 and self.config.implementation == "concise"
            target.copy_(source.T if turned else source)

    @torch.no_grad()
    def _checkpoint(self) -> Checkpoint:
        if self._population is None:  # it begins again
            random: Tensor | None = torch.Generator().manual_seed(derive_seed(self.config.seed, "dropout")).get_state()
        else:
            random = self._take_over(self._population)
        device = torch.device(self._device).type
        return resuming.take(self.config, self.progress, self.parts, self._threads, random, device)

    def _take_over(self, population: Population) -> Tensor | None:
        """Copy what `population` has of this member; the state of its dropout, None where it has left."""
        self._copy_weights()
        if self._row not in population.members:
            return None
        row = population.members.index(self._row)
        states = population.optimizer.state_of(row)
        optimizer = self.parts.optimizer
        if states and isinstance(optimizer, torch.optim.Optimizer):
            for parameter, state in zip(self._parameters(), states, strict=True):
                made = {name: torch.empty_like(parameter) for name in state if name != "step"}
                self._assign([state[name] for name in made], list(made.values()))
                optimizer.state[parameter] = {**({"step": state["step"]} if "step" in state else {}), **made}
        set_lr(optimizer, self.rate)
        self.progress.epoch_order, random = population.random_states(self._row)
        return random

"""The one training loop. Both front ends run it; the training step itself stands in `_train_epoch`, in one place."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from d2ltui.data import DataError, Dataset, LoadCancelled, LoaderError, load
from d2ltui.data.batches import data_iter
from d2ltui.diagnosis.monitor import Monitor
from d2ltui.diagnosis.probes import PROBE_EVERY, SAMPLE_EVERY, Prober, probe_batch
from d2ltui.engine import summary
from d2ltui.engine.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointSchedule,
    CheckpointSink,
    epochs_tensor,
    fingerprint,
    to_cpu,
)
from d2ltui.engine.clock import Clock
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, check_fits, make_current, place, select
from d2ltui.engine.evaluation import evaluate
from d2ltui.engine.gc import freeze_gc
from d2ltui.engine.metrics import StepMetrics
from d2ltui.engine.observers import Inspection, Sinks
from d2ltui.engine.schedule import Schedule
from d2ltui.engine.threads import CoreMeter, ThreadCount
from d2ltui.history.epochs import Epochs
from d2ltui.nn import build, load_state, make_clip, make_optimizer, set_lr
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.parsing import ConfigError

# A loss beyond this has diverged, finite or not: cross-entropy's slope is bounded, so that a learning rate of 1e30
# takes softmax regression to losses of 1e29 and no further.
LARGEST_LOSS = 1e20
# Seconds between two looks at the clock's business: publishing the steps since the last one, probing when asked.
PUBLISH_EVERY = 0.1


class Stopped(Exception):
    """Control asked for an end. Never leaves this module."""


class Trainer:
    """Trains what a RunConfig describes, tells its sinks, obeys its Control.

    Args:
        config: the run.
        control: asked between steps.
        sinks: called with every event, in this thread. They must return at once.
        dataset: what to train on instead of loading what the config names; its `info` shapes the network.
        sample_every: seconds between two looks at the layers while nobody looks; None for none.
        keeper: takes checkpoints, at a pause and at the end of the run, and now and then between (see `Pace`).
        resume: reads the checkpoint to go on from, in this thread; where it finds none, the run begins again.
        probes: what was seen in the run's layers before, where it goes on.
    """

    def __init__(
        self,
        config: RunConfig,
        control: Control,
        sinks: Sequence[events.Sink],
        *,
        dataset: Dataset | None = None,
        sample_every: float | None = SAMPLE_EVERY,
        keeper: CheckpointSink | None = None,
        resume: Callable[[], Checkpoint | None] | None = None,
        probes: Sequence[events.LayersProbed] = (),
    ) -> None:
        self.config = config
        self.control = control
        self._emit = Sinks(sinks)
        self._dataset = dataset
        self._sample_every = sample_every
        # Not a method of the trainer's: it would hold the network in a circle that only the collector finds.
        self._pace = CheckpointSchedule(keeper, partial(self._emit.tell_failure, "storing checkpoints"))
        self._resume, self._past_probes = resume, probes
        self._step = 0
        self._epochs = Epochs()
        self._clock = Clock()
        self._due = 0.0  # when to look at the clock's business next
        self._device_name = config.device
        self._loaded = self._diverged = self._ran_away = False
        self._last_loss = 0.0
        self._first_loss = math.inf  # before the first step; infinite while it is not known

    def run(self) -> events.RunEnded:
        """Load, build, train, evaluate, and end: whatever happens, RunEnded is the last event.

        Raises nothing but what a sink raises when it is told RunEnded.
        """
        status: events.Status = "finished"
        message, field, trace = "", "", None
        try:
            self._emit(events.StatusChanged("loading"))
            self._prepare()
            self._train()
            status, message = self._outcome()
        except (Stopped, LoadCancelled):
            status = "stopped"
            message = f"stopped after step {self._step:,}" if self._loaded else "stopped while loading"
        except DataError as error:
            status, message, field = "failed", str(error), "dataset"
            if isinstance(error, LoaderError):
                trace = traceback.format_exc()
        except DeviceError as error:
            status, message, field = "failed", str(error), "device"
        except ConfigError as error:
            status, message, field = "failed", error.problems[0].message, error.problems[0].field
        except CheckpointError as error:
            status, message = "failed", str(error)
        except Exception as error:
            # Whatever it was, it belongs on the screen, with its traceback kept: the application goes on.
            status, trace = "failed", traceback.format_exc()
            layers = self.network.plan if hasattr(self, "network") else ()
            field, message = summary.describe_error(error, self.config, self._device_name, layers)
        finally:
            self._clock.stop()
        if self._diverged:
            status = "diverged"
            how = f"beyond {LARGEST_LOSS:g}" if math.isfinite(self._last_loss) else "no longer finite"
            message = f"the loss is {how} after step {self._step:,}: a lower lr than {self._lr:g} may help"
        try:
            parameters = self._parameters()
        except Exception:  # a device that has failed fails again: what it failed of is told already
            parameters = None
        totals = summary.summary(
            self.config, self._device_name, status, self._epochs, self._step, self._clock.seconds, parameters
        )
        ended = events.RunEnded(status, message, totals, field, trace)
        self._emit.end(ended)
        return ended

    def _outcome(self) -> tuple[events.Status, str]:
        """Of a run that was trained to its end."""
        last = self._epochs[-1]
        if not self._ran_away:
            return "finished", summary.result(self.config.task, last)
        return "diverged", summary.ran_away(last, self._first_loss, self._guess, self._lr)

    def _parameters(self) -> dict[str, object] | None:
        regression = self.config.task == "regression" and hasattr(self, "network")
        return summary.parameters(self.network, self._data.truth) if regression else None

    # Preparation

    def _prepare(self) -> None:
        config = self.config
        self._lr = config.lr
        self._device = select(config.device)
        self._device_name = str(self._device)
        make_current(self._device)
        self._stop_if_asked()
        self._meter = CoreMeter()
        self._data = self._load()
        self._stop_if_asked()
        check_fits(config, self._device)
        self._data_mark = fingerprint(self._data.x_train, self._data.y_train)
        torch.manual_seed(derive_seed(config.seed, "dropout"))  # which draws from the global generator
        self._order = torch.Generator().manual_seed(derive_seed(config.seed, "order"))
        data = self._data
        plan = catalogue.layer_plan(config, data.info)
        # A step costs about 6 operations for each weight and sample: 2 forward, 4 backward.
        flops = 6 * config.batch_size * sum(layer.parameters for layer in plan)
        self._threads = ThreadCount(config.threads, flops, self._device.type, self._meter)
        self.network = build(config, device=self._device, dataset=data.info)
        self._optimizer = make_optimizer(config, self.network)
        self._clip = make_clip(config, self.network)
        self._schedule = Schedule(config.schedule, config.epochs)
        variance = float(data.y_train.double().var(correction=0)) if config.task == "regression" else 1.0
        self._guess = summary.guess(config, variance, data.info.num_outputs)
        self._recorder = StepMetrics(config.task, variance)
        self._recorder_capacity = self._recorder.capacity(config.batch_size, data.info.num_outputs)
        self._x_train, self._y_train, residence = place(data.x_train, data.y_train, self._device)
        self._x_val, self._y_val = data.x_val.to(self._device), data.y_val.to(self._device)
        self._val_variance = float(data.y_val.double().var(correction=0)) if config.task == "regression" else 1.0
        x, y = probe_batch(data.x_train, data.y_train, max(spec.num_values for spec in plan))
        prober = Prober(self.network, x.to(self._device), y.to(self._device), self._sample_every)
        self._inspection = Inspection(prober, Monitor(config, plan), self._emit, self._device_name)
        self._begin_epoch(1)
        freeze_gc()
        self._loaded = True
        checkpoint = self._resume() if self._resume is not None else None
        resumed = self._restore(checkpoint) if self._resume is not None else None
        fewer = self._threads.choose(self._step, recorded=checkpoint.threads if checkpoint is not None else 0)
        self._emit(
            events.RunStarted(
                config=config,
                device=self._device_name,
                layers=plan,
                num_train=len(data.x_train),
                num_val=len(data.x_val),
                steps_per_epoch=math.ceil(len(data.x_train) / config.batch_size),
                residence=residence,
                threads=self._threads.number,
            )
        )
        if resumed is not None:
            self._emit(resumed)
        if fewer is not None:
            self._emit(fewer)
        self._tell_of_meter()

    def _stop_if_asked(self) -> None:
        if self.control.stopping:
            raise Stopped

    def _load(self) -> Dataset:
        if self._dataset is not None:
            return self._dataset

        def progress(message: str, fraction: float | None) -> None:
            self._emit(events.Loading(message, fraction))

        return load(self.config, progress, lambda: self.control.stopping)

    # Training

    def _train(self) -> None:
        if self._step == 0:
            self._pace.keep(self._checkpoint)  # there is something to go on from, from the first step on
        try:
            self._train_epochs()
        except Stopped:
            self._finish()
            raise
        self._ran_away = summary.has_run_away(self._epochs[-1], self._first_loss, self._guess)
        self._finish()

    def _finish(self) -> None:
        self._clock.stop()
        if not (self._diverged or self._ran_away):  # broken weights are not worth the place of good ones
            self._pace.keep(self._checkpoint)
        self._probe(last=True)

    def _train_epochs(self) -> None:
        self._probe()
        self._arm()
        self._emit(events.StatusChanged("training"))
        self._start_clock()
        self._handle_requests()
        for epoch in range(self._epoch, self.config.epochs + 1):
            self._train_epoch(epoch)
            self._begin_epoch(epoch + 1)
            self._adapt_threads(epoch_ended=True)
            if self._pace.due(within_epoch=False):
                self._pace.keep(self._checkpoint)
            if epoch < self.config.epochs:
                self.control.epoch_done()
            if self.control.attention:
                self._handle_requests()

    def _start_clock(self) -> None:
        self._clock.start()
        self._due = time.perf_counter() + PUBLISH_EVERY

    @property
    def _rate(self) -> float:
        """The learning rate of this epoch."""
        return self._lr * self._schedule.factor(min(self._epoch, self.config.epochs))

    def _apply_lr(self) -> None:
        set_lr(self._optimizer, self._rate)

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch, self._epoch_began = epoch, self._step
        self._epoch_order = self._order.get_state()
        self._epoch_sums = np.zeros(3)  # loss × samples, metric × samples, samples
        self._apply_lr()

    def _train_epoch(self, epoch: int) -> None:
        network, optimizer, recorder, control = self.network, self._optimizer, self._recorder, self.control
        capacity, clock, clip = self._recorder_capacity, time.perf_counter, self._clip
        start = self._step - self._epoch_began  # not 0 where a run goes on
        batches = data_iter(self._x_train, self._y_train, self.config.batch_size, self._order, self._device, start)
        for x, y in batches:
            # The training step: nothing but this may stand here.
            optimizer.zero_grad()
            output = network(x)
            loss = network.loss(output, y)
            network.objective(loss).backward()  # type: ignore[no-untyped-call]
            if clip is not None:
                clip()
            optimizer.step()

            self._step += 1
            recorder.add(loss, output, y)
            if control.attention or clock() >= self._due or len(recorder) >= capacity:
                self._between_steps()
        self._publish()
        self._evaluate(epoch)

    def _adapt_threads(self, *, epoch_ended: bool) -> None:
        if self._threads.due(epoch_ended=epoch_ended):
            changed = self._threads.look(self._step, epoch_ended=epoch_ended)
            if changed is not None:
                self._emit(changed)
            self._tell_of_meter()

    def _tell_of_meter(self) -> None:
        if (error := self._meter.take_error()) is not None:
            self._emit.tell_failure("measuring other programs", error)

    def _between_steps(self) -> None:
        self._publish()
        self._adapt_threads(epoch_ended=False)
        wait = PUBLISH_EVERY
        if self._inspection.due(self.control.observed):
            if self._inspection.armed(self._step):
                self._probe()
            else:
                self._arm()
                wait = 0.0  # come back after the very next step, which is the one to measure
        if self._pace.due(within_epoch=True):
            self._pace.keep(self._checkpoint)
        if self.control.attention:
            self.control.step_done()
            self._handle_requests()
        self._due = time.perf_counter() + wait

    def _handle_requests(self) -> None:
        """Do what was asked: change the learning rate, wait while paused, end."""
        waiting = looked = False  # looked: whether the layers have been looked at for somebody who sees them
        while True:
            observed = self.control.observed  # before the look: who comes during it has not been looked for
            if (lr := self.control.take_lr()) is not None:
                self._lr = lr
                self._apply_lr()
                self._emit(events.LearningRateChanged(self._step, lr))
                if waiting:
                    self._pace.keep(self._checkpoint)
            if not waiting and self.control.mode == "pause" and not self.control.stopping:
                waiting = True
                self._clock.stop()
                self._emit(events.StatusChanged("paused"))
                self._pace.keep(self._checkpoint)
                self._look_at_pause()
            elif waiting and observed and not looked:
                self._look_at_pause()  # somebody begins to look, and no step will come to look at
            looked = observed
            if not self.control.wait_while_paused(PROBE_EVERY):
                break
        if self.control.stopping:
            raise Stopped
        if waiting:
            self._emit(events.StatusChanged("training"))
            self._start_clock()

    def _look_at_pause(self) -> None:
        self._probe()
        self._arm()

    def _publish(self) -> None:
        """Tell the steps since the last time. A loss that is not finite, or absurd, ends the run there."""
        if not len(self._recorder):
            return
        losses, metrics, sizes = self._recorder.take()
        if self._step == len(losses):  # the first block of a run that has just begun
            self._first_loss = float(losses[0])
        broken = np.flatnonzero(~(losses <= LARGEST_LOSS))  # nan is not less than anything
        if len(broken):
            # The steps after the first broken loss trained on nothing: they are not part of the run.
            self._diverged = True
            end = int(broken[0]) + 1
            self._step -= len(losses) - end
            losses, metrics, sizes = losses[:end], metrics[:end], sizes[:end]
            self._last_loss = float(losses[-1])
        self._epoch_sums += (np.dot(losses, sizes), np.dot(metrics, sizes), sizes.sum())
        self._emit.step = self._step
        self._emit(events.StepsTrained(self._step, losses, metrics, self._clock.seconds))
        if self._diverged:
            raise Stopped

    def _evaluate(self, epoch: int) -> None:
        """The validation part, in large batches, without gradients or dropout."""
        val_loss, val_score = evaluate(self.network, self.config.task, self._x_val, self._y_val, self._stop_if_asked)
        regression = self.config.task == "regression"
        metric = 1 - val_score / self._val_variance if regression else val_score
        loss_sum, metric_sum, samples = self._epoch_sums
        ended = events.EpochEnded(
            epoch=epoch,
            step=self._step,
            train_loss=float(loss_sum / samples),
            val_loss=val_loss,
            train_metric=float(metric_sum / samples),
            val_metric=metric,
            seconds=self._clock.seconds,
        )
        self._epochs.append(ended)
        self._emit(ended)
        if not val_loss <= LARGEST_LOSS:
            # The last step broke the weights, and no step may follow to notice.
            self._diverged, self._last_loss = True, val_loss
            raise Stopped

    def _probe(self, last: bool = False) -> None:
        # Who looks only afterwards may open a layer, too.
        units = last or self.control.observed
        self._inspection.look(self._step, units=units, epochs=self._epochs, lr=self._rate, diverged=self._diverged)

    def _arm(self) -> None:
        if not self._inspection.arm(self._step):
            self._probe()  # which says so

    # Going on later

    def _checkpoint(self) -> Checkpoint:
        """A copy of everything that the steps to come depend on. Steps must have been published."""
        loss_sum, metric_sum, samples = self._epoch_sums.tolist()
        return Checkpoint(
            config=self.config,
            step=self._step,
            epoch=self._epoch,
            batch=self._step - self._epoch_began,
            seconds=self._clock.seconds,
            lr=self._lr,
            sums=(loss_sum, metric_sum, samples),
            epochs=epochs_tensor(self._epochs),
            model=to_cpu(self.network.state_dict()),
            optimizer=to_cpu(self._optimizer.state_dict()),
            order=self._epoch_order.clone(),
            random=torch.get_rng_state(),
            random_cuda=torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
            data=self._data_mark,
            threads=self._threads.number,
        )

    def _restore(self, checkpoint: Checkpoint | None) -> events.RunResumed:
        """Take over everything that a checkpoint holds.

        Raises:
            CheckpointError: where it does not fit this network, its optimiser or the data.
        """
        if checkpoint is None:
            return events.RunResumed(0, 1, 0.0, self._lr)
        if checkpoint.data != self._data_mark:
            raise CheckpointError(f"dataset: {self.config.dataset} is not the data that the run was trained on")
        try:
            self.network.load_state(checkpoint.model)
            load_state(self._optimizer, checkpoint.optimizer)
            torch.set_rng_state(checkpoint.random)
            if checkpoint.random_cuda is not None and self._device.type == "cuda":
                torch.cuda.set_rng_state(checkpoint.random_cuda, self._device)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise CheckpointError(f"checkpoint: it does not fit the run ({error})") from None
        self._step, self._lr = checkpoint.step, checkpoint.lr
        self._clock.set(checkpoint.seconds)
        self._epoch, self._epoch_began = checkpoint.epoch, checkpoint.step - checkpoint.batch
        self._epoch_order, self._epoch_sums = checkpoint.order, np.array(checkpoint.sums)
        self._order.set_state(checkpoint.order)
        self._epochs = Epochs.of(checkpoint.history())
        start = next((probed.loss for probed in self._past_probes if probed.step == 0), math.nan)
        if not math.isfinite(start) and len(self._epochs):
            start = self._epochs[0].train_loss  # the first that is known of
        self._first_loss = start if math.isfinite(start) else math.inf
        self._inspection.remember([probed for probed in self._past_probes if probed.step <= self._step])
        self._apply_lr()
        return events.RunResumed(self._step, self._epoch, self._clock.seconds, self._lr)

"""The one training loop. Both front ends run it; `stepping` trains its steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import torch

from d2ltui.data import Dataset, LoadCancelled, load
from d2ltui.diagnosis.probes import PROBE_EVERY, SAMPLE_EVERY, probe_batch
from d2ltui.engine import reporting, resuming, summary
from d2ltui.engine.checkpoint import Checkpoint, CheckpointSchedule, CheckpointSink
from d2ltui.engine.checkup import check_start
from d2ltui.engine.control import SHOWN_WITHIN, Control, Stopped
from d2ltui.engine.device import candidates, check_fits, make_current, products, seed_dropout
from d2ltui.engine.device_choice import choose
from d2ltui.engine.examination import examine_run
from d2ltui.engine.gc import freeze_gc
from d2ltui.engine.giving_up import GivingUp
from d2ltui.engine.graphs import Graphs, graphs_of
from d2ltui.engine.observers import Sinks, inspection_of
from d2ltui.engine.painter import Painter
from d2ltui.engine.preparation import prepare
from d2ltui.engine.progress import Progress
from d2ltui.engine.rehearsal import Rehearsal
from d2ltui.engine.reporting import LARGEST_LOSS, end_epoch, publish
from d2ltui.engine.stepping import Steps
from d2ltui.engine.threads import CoreMeter, ThreadCount
from d2ltui.engine.weight_history import WeightHistory, WeightSink
from d2ltui.engine.workbench import Workbench
from d2ltui.history.series import Array
from d2ltui.nn import build, set_lr
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _

# Seconds between two looks at the clock's business: publishing the steps since the last one, probing when asked; and to
# the first one, from which on they double: a run of a tenth of a second is to be seen, too.
PUBLISH_EVERY, FIRST_PUBLISH = 0.1, 0.01


class Trainer:
    """Trains what a RunConfig describes, tells its sinks, obeys its Control.

    Args:
        config: the run.
        control: asked between steps.
        sinks: called with every event, in this thread. They must return at once.
        dataset: what to train on instead of loading what the config names; its `info` shapes the network.
        sample_every: seconds between two looks at the layers while nobody looks; None for none, and for no samples.
        keeper: takes checkpoints, whenever `CheckpointSchedule` has one due, at a pause and at the end of the run.
        weights: stores what the weights were at moments of the run, for pictures of those; None where nobody does.
        resume: reads the checkpoint to resume from, in this thread; where it finds none, the run begins again.
        probes: what was seen in the layers of a run that is resumed; `losses`, shape (steps,): those of its steps.
        diagnose: whether data and network are checked before the first step, and, at its end, a run that has not
            learned is examined; with `trials`, by training with other settings, too.
        give_up: told why, where the run is stopped since it will not learn any more; None where it never is.
        graphs: those of a device, on which steps are trained where it has some.
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
        weights: WeightSink | None = None,
        resume: Callable[[], Checkpoint | None] | None = None,
        probes: Sequence[events.LayersProbed] = (),
        losses: Array | None = None,
        diagnose: bool = False,
        trials: bool = True,
        give_up: Callable[[events.Finding], None] | None = None,
        graphs: Callable[[torch.device], Graphs | None] = graphs_of,
    ) -> None:
        self.config = config
        self.control = control
        self._emit = Sinks(sinks)
        self._dataset = dataset
        self._sample_every = sample_every
        # Not a method of the trainer's: it would hold the network in a circle that only the collector finds.
        self._pace = CheckpointSchedule(keeper, partial(self._emit.tell_failure, _("storing checkpoints")))
        self._resume, self._past_probes, self._past_losses = resume, probes, losses
        self._diagnose = diagnose
        self._trials, self._give_up, self._graphs_of, self._weight_sink = trials, give_up, graphs, weights
        self.progress = Progress(config)
        self._due = self._wait = 0.0  # when to look at the clock's business next; seconds from one look to the next
        self._device_name = config.device
        self._set = contextlib.ExitStack()  # what the run has set for the whole process, and puts back
        self._loaded = self._ran_away = False

    def run(self) -> events.RunEnded:
        """Load, build, train, evaluate, and end: whatever happens, RunEnded is the last event.

        Raises nothing but what a sink raises when it is told RunEnded.
        """
        status: events.Status = "finished"
        message, field, trace = "", "", None
        progress = self.progress
        try:
            self._emit(events.StatusChanged("loading"))
            self._prepare()
            self._train()
            status, message = summary.outcome(self.config.task, self._ran_away, progress, self.parts.guess)
        except (Stopped, LoadCancelled):
            status = "stopped"
            loaded = self._loaded
            message = summary.stopped(progress.step, self._inspection.given_up) if loaded else summary.not_loaded()
        except Exception as error:  # it belongs on the screen, with its traceback kept: the application goes on
            layers = self.network.plan if hasattr(self, "network") else ()
            status = "failed"
            field, message, trace = summary.describe_error(error, self.config, self._device_name, layers)
        finally:
            progress.clock.stop()
        if progress.diverged or status in ("finished", "diverged"):
            self._examine()
        self._set.close()
        if progress.broken_loss is not None:
            status = "diverged"
            message = summary.diverged(progress.broken_loss, progress.step, progress.lr, LARGEST_LOSS)
        try:
            parameters = self._parameters()
        except Exception:  # a device that has failed fails again: what it failed of is told already
            parameters = None
        totals = summary.summary(
            self.config, self._device_name, status, progress.epochs, progress.step, progress.clock.seconds, parameters
        )
        ended = events.RunEnded(status, message, totals, field, trace)
        self._emit.end(ended)
        return ended

    def _examine(self) -> None:
        """Say what is wrong with the run, where it has not learned."""
        if not self._diagnose or self.control.stopping or not self._loaded:
            return
        ran_away, trial = self._ran_away, self._trial if self._trials else None
        examine_run(self._bench, self.progress, self._inspection, self._emit, self._rate, ran_away, trial)

    def _trial(self, config: RunConfig, data: Dataset) -> Sequence[events.EpochEnded]:
        """The epochs of a run of `config`, which nobody sees; none where it did not come to its end."""
        self.control.stop_if_asked()
        config = msgspec.structs.replace(config, threads=self._threads.number, device=self._device_name)
        trainer = Trainer(config, self.control.of_trial(), [], dataset=data, sample_every=None)
        finished = trainer.run().status == "finished"
        self.control.stop_if_asked()
        return trainer.progress.epochs if finished else []

    def _parameters(self) -> dict[str, object] | None:
        regression = self.config.task == "regression" and hasattr(self, "network")
        return summary.parameters(self.network, self._data.truth) if regression else None

    # Preparation

    def _prepare(self) -> None:
        config = self.config
        names = candidates(config)
        self.control.stop_if_asked()
        self._meter = CoreMeter()
        stop, tell = self.control.stop_if_asked, reporting.loading(self._emit)
        self._data = data = self._dataset or load(config, tell, lambda: self.control.stopping)
        stop()
        checkpoint = self._resume() if self._resume is not None else None
        device, why = choose(config, data, stop, tell, names=names, kept=checkpoint)
        self._device_name = str(device)
        make_current(device)
        self._set.enter_context(products(config, device))
        check_fits(config, device)
        seed_dropout(config.seed, device)
        plan = catalogue.layer_plan(config, data.info)
        # A step costs about 6 operations for each weight and sample: 2 forward, 4 backward.
        flops = 6 * config.batch_size * sum(layer.parameters for layer in plan)
        self._threads = ThreadCount(config.threads, flops, device.type, self._meter)
        self.network = build(config, device=device, dataset=data.info)
        graphs = self._graphs_of(device)
        self.parts = prepare(config, data, self.network, device, for_graphs=graphs is not None)
        self._steps = Steps(config, self.parts, graphs, partial(reporting.note, self._emit, self.progress))
        x, y = probe_batch(data.x_train, data.y_train, max(spec.num_values for spec in plan), device)
        self._bench = Workbench(config, data, device, plan, self.network, self.parts, x, y, self.control)
        self._giving_up = GivingUp.of(self._bench, self._give_up, self._emit.tell_failure)
        clock = self.progress.clock
        self._inspection = inspection_of(self._bench, self._emit, self._sample_every, trained=lambda: clock.seconds)
        rehearsal, desk = Rehearsal(config, self.parts, self.progress), self.control.pictures
        failed = self._emit.tell_failure
        self._history = WeightHistory(config, self.network, self._weight_sink, failed, wanted=desk is not None)
        self._painter = Painter.of(self.network, data, device, desk, failed, rehearsal.seen, self._history.at)
        self._begin_epoch(1)
        freeze_gc()
        self._loaded = True
        if checkpoint is not None:
            self._restore(checkpoint)
        fewer = self._threads.choose(self.progress.step, recorded=checkpoint.threads if checkpoint is not None else 0)
        self._emit(reporting.started(config, plan, data, self.parts, self._threads.number))
        if self._resume is not None:
            at = self.progress
            self._emit(events.RunResumed(at.step, at.epoch, at.clock.seconds, at.lr))
        if why:
            reporting.note(self._emit, self.progress, why)
        if fewer is not None:
            self._emit(fewer)
        reporting.tell_of_meter(self._emit, self._meter)

    def _rest_if_asked(self) -> None:
        if self.control.resting:
            with self.progress.clock.left_out():
                self.control.wait_while_resting()

    def _between_parts(self) -> None:
        """Of the validation data."""
        self._rest_if_asked()
        self.control.stop_if_asked()
        self._painter.paint(self.progress.step)

    # Training

    def _train(self) -> None:
        self._history.take(self.progress.step)
        if self.progress.step == 0:
            self._pace.keep(self._checkpoint)  # there is something to go on from, from the first step on
        try:
            self._train_epochs()
            self._ran_away = self._bench.has_run_away(self.progress.epochs, self.progress.first_loss)
        except Exception as error:
            self._finish(failed=not isinstance(error, Stopped))
            raise
        self._finish()

    def _finish(self, *, failed: bool = False) -> None:
        self.progress.clock.stop()
        if failed:
            with contextlib.suppress(Exception):  # the device may be gone, too
                self._history.end(self.progress.step, broken=True)
                self._painter.release(self.progress.step)
            return
        if not (self.progress.diverged or self._ran_away):  # broken weights are not worth the place of good ones
            self._pace.keep(self._checkpoint)
        self._history.end(self.progress.step, broken=self.progress.diverged)
        self._judge_layers(last=True)
        self._painter.release(self.progress.step)

    def _train_epochs(self) -> None:
        self._judge_layers(last=False)
        if self._diagnose and self.progress.step == 0:
            self._inspection.check_start(partial(check_start, self._bench))
        self._arm()
        self._emit(events.StatusChanged("training"))
        self._start_clock()
        self._handle_requests()
        for epoch in range(self.progress.epoch, self.config.epochs + 1):
            self._train_epoch(epoch)
            self._begin_epoch(epoch + 1)
            self._judge()
            self._adapt_threads(epoch_ended=True)
            if self._pace.due(within_epoch=False):
                self._pace.keep(self._checkpoint)
            if epoch < self.config.epochs:
                self.control.epoch_done()
            if self.control.attention:
                self._handle_requests()

    def _judge(self) -> None:
        if (judge := self._giving_up) and (why := judge.after(self.progress.epochs, self.progress.first_loss)):
            self._inspection.give_up(why)
            raise Stopped

    def _start_clock(self) -> None:
        self.progress.clock.start()
        self._wait = min(FIRST_PUBLISH, PUBLISH_EVERY)
        self._due = time.perf_counter() + self._wait

    @property
    def _rate(self) -> float:
        """The learning rate of this epoch."""
        return self.progress.lr * self.parts.schedule.factor(min(self.progress.epoch, self.config.epochs))

    def _begin_epoch(self, epoch: int) -> None:
        self.progress.begin_epoch(epoch)
        set_lr(self.parts.optimizer, self._rate)

    def _train_epoch(self, epoch: int) -> None:
        control, progress, recorder, capacity = self.control, self.progress, self.parts.recorder, self.parts.capacity
        clock, sampler, history = time.perf_counter, self._inspection.sampler, self._history
        for __ in self._steps.epoch(progress, self._most_steps):
            if progress.step >= history.next:
                history.take(progress.step)
            if progress.step == sampler.next:
                self._publish()  # ends a run that has diverged
                self._inspection.sample(progress, self._rate)
            if control.attention or clock() >= self._due or len(recorder) >= capacity:
                self._between_steps()
        self._publish()
        self._end_epoch(epoch)

    def _most_steps(self) -> float:
        """How many steps may be trained before the next one is looked at."""
        if self.control.attention or time.perf_counter() >= self._due:
            return 1
        then = min(self._inspection.sampler.next, self._history.next)
        return min(then - self.progress.step, self.parts.capacity - len(self.parts.recorder))

    def _adapt_threads(self, *, epoch_ended: bool) -> None:
        if self._threads.due(epoch_ended=epoch_ended):
            changed = self._threads.look(self.progress.step, epoch_ended=epoch_ended)
            if changed is not None:
                self._emit(changed)
            reporting.tell_of_meter(self._emit, self._meter)

    def _between_steps(self) -> None:
        if self.control.attention:
            self.control.step_done()  # before a rest: a step that is asked for during it is another one
            self._rest_if_asked()
        self._publish()
        self._adapt_threads(epoch_ended=False)
        wait = self._wait = min(2 * self._wait, PUBLISH_EVERY)
        if self.control.mode != "pause" and self._inspection.due(self.control.observed, self.control.slowed):
            if self._inspection.armed(self.progress.step):
                self._probe()
            else:
                self._arm()
                wait = 0.0  # come back after the very next step, which is the one to measure
        if self.control.mode != "pause" and self._pace.due(within_epoch=True):
            self._pace.keep(self._checkpoint)
        self._history.store()
        self._painter.paint(self.progress.step)
        if self.control.attention:
            self._handle_requests()
        self._due = time.perf_counter() + wait

    def _handle_requests(self) -> None:
        """Do what was asked: change the learning rate, wait while paused, end."""
        waiting = looked = False  # looked: whether the layers have been looked at for somebody who sees them
        while True:
            observed = self.control.observed  # before the look: who comes during it has not been looked for
            if (lr := self.control.take_lr()) is not None:
                self.progress.lr = lr
                set_lr(self.parts.optimizer, self._rate)
                self._painter.forget()
                self._emit(events.LearningRateChanged(self.progress.step, lr))
                if waiting:
                    self._pace.keep(self._checkpoint)
            if not waiting and self.control.mode == "pause" and not self.control.stopping:
                waiting = True
                self.progress.clock.stop()
                self._emit(events.StatusChanged("paused", self.progress.step))
                self.control.wait_while_paused(SHOWN_WITHIN)
                self._pace.keep(self._checkpoint)
                self._history.pause(self.progress.step)
                self._look_at_pause()
            elif waiting and observed and not looked:
                self._look_at_pause()  # somebody begins to look, and no step will come to look at
            looked = observed
            self._painter.paint(self.progress.step, standing=waiting)
            if not (self.control.wait_while_paused(PROBE_EVERY) or self.control.wait_for_pace(self.progress.step)):
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
        publish(self.parts, self.progress, self._emit)
        if self.progress.diverged:
            raise Stopped

    def _end_epoch(self, epoch: int) -> None:
        end_epoch(self.config.task, epoch, self.parts, self.progress, self._emit, self._between_parts)
        if self.progress.diverged:
            raise Stopped

    def _probe(self) -> None:
        self._inspection.look(self.progress.step, units=self.control.observed)

    def _judge_layers(self, *, last: bool) -> None:
        units = last or self.control.observed  # who looks only afterwards may open a layer, too
        self._inspection.look_and_judge(self.progress, self._rate, units=units)

    def _arm(self) -> None:
        if not self._inspection.arm(self.progress.step):
            self._probe()  # which says so

    def _checkpoint(self) -> Checkpoint:
        return resuming.take(self.config, self.progress, self.parts, self._threads.number)

    def _restore(self, checkpoint: Checkpoint) -> None:
        resuming.restore(checkpoint, self.progress, self.parts, self._past_probes, self._past_losses)
        self._past_losses = None  # they may be many
        self._history.go_on_from(self.progress.step)
        self._inspection.go_on_from(self.progress.step, self._past_probes)
        set_lr(self.parts.optimizer, self._rate)

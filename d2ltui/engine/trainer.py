"""The one training loop. Both front ends run it; the training step itself stands in `_train_epoch`, in one place."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from d2ltui import catalogue, events
from d2ltui.config import RunConfig
from d2ltui.data import DataError, Dataset, LoadCancelled, load
from d2ltui.data.batches import data_iter
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, select
from d2ltui.engine.probes import probe, probe_batch
from d2ltui.engine.recorder import Recorder, scores
from d2ltui.models import build, make_optimizer, set_lr

# Seconds between two looks at the clock's business: publishing the steps since the last one, probing when asked.
PUBLISH_EVERY = 0.1
PROBE_EVERY = 0.3
# A probe may take this share of the training time at most; a slow one is repeated less often.
PROBE_SHARE = 0.02
EVALUATION_VALUES = 1 << 23  # inputs evaluated at once: 32 MiB of float32


class Stopped(Exception):
    """Control asked for an end. Never leaves this module."""


class Trainer:
    """Trains what a RunConfig describes, tells its sinks, obeys its Control.

    Args:
        config: the run.
        control: asked between steps.
        sinks: called with every event, in this thread. They must return at once.
    """

    def __init__(self, config: RunConfig, control: Control, sinks: Sequence[events.Sink]) -> None:
        self.config = config
        self.control = control
        self._sinks = tuple(sinks)
        self._step = 0
        self._epochs: list[events.EpochEnded] = []
        self._seconds = 0.0  # of training, until `_resumed`
        self._resumed: float | None = None  # when the clock was started, or None while it stands
        self._device_name = config.device
        self._diverged = False

    def run(self) -> events.RunEnded:
        """Load, build, train, evaluate, and end: whatever happens, RunEnded is the last event. Never raises."""
        status: events.Status = "finished"
        message, field, trace = "", "", None
        try:
            self._emit(events.StatusChanged("loading"))
            self._prepare()
            self._train()
            message = self._result()
        except (Stopped, LoadCancelled):
            status, message = "stopped", f"stopped by you after step {self._step}"
        except DataError as error:
            status, message, field = "failed", str(error), "dataset"
        except DeviceError as error:
            status, message, field = "failed", str(error), "device"
        except torch.OutOfMemoryError as error:
            status, field, trace = "failed", "batch_size", traceback.format_exc()
            message = (
                f"batch_size: {self.config.batch_size} does not fit into the device's memory; give fewer ({error})"
            )
        except Exception as error:
            # Whatever it was, it belongs on the screen, with its traceback kept: the application goes on.
            status, message = (
                "failed",
                f"{type(error).__name__}: {error}" if str(error) else type(error).__name__,
            )
            trace = traceback.format_exc()
        if self._diverged:
            status = "diverged"
            message = f"the loss is no longer finite after step {self._step}: a lower lr than {self._lr:g} may help"
        self._stop_clock()
        ended = events.RunEnded(status, message, self._summary(status), field, trace)
        self._emit(ended)
        return ended

    def _emit(self, event: events.Event) -> None:
        for sink in self._sinks:
            sink(event)

    # Preparation

    def _prepare(self) -> None:
        config = self.config
        self._lr = config.lr
        self._device = select(config.device)
        self._device_name = str(self._device)
        self._data = self._load()
        torch.manual_seed(config.seed)  # what dropout draws from
        self._order = torch.Generator().manual_seed(config.seed)
        self.network = build(config, device=self._device)
        self._optimizer = make_optimizer(config, self.network)
        data = self._data
        variance = float(data.y_train.double().var(correction=0)) if config.task == "regression" else 1.0
        self._recorder = Recorder(config.task, variance)
        self._recorder_capacity = self._recorder.capacity(config.batch_size, data.info.num_outputs)
        self._x_train, self._y_train, residence = self._place(data)
        self._x_val, self._y_val = data.x_val.to(self._device), data.y_val.to(self._device)
        self._val_variance = float(data.y_val.double().var(correction=0)) if config.task == "regression" else 1.0
        self._probe_x, self._probe_y = (t.to(self._device) for t in probe_batch(data.x_train, data.y_train))
        self._emit(
            events.RunStarted(
                config=config,
                device=self._device_name,
                layers=catalogue.layer_plan(config),
                num_train=len(data.x_train),
                num_val=len(data.x_val),
                steps_per_epoch=math.ceil(len(data.x_train) / config.batch_size),
                residence=residence,
            )
        )

    def _load(self) -> Dataset:
        def progress(message: str, fraction: float | None) -> None:
            self._emit(events.Loading(message, fraction))

        progress(f"loading {self.config.dataset}", None)
        return load(self.config, progress, lambda: self.control.stopping)

    def _place(self, data: Dataset) -> tuple[Tensor, Tensor, str]:
        """The training data where it is used: on the device while half of its free memory holds it, else streamed."""
        x, y = data.x_train, data.y_train
        if self._device.type == "cpu":
            return x, y, "in memory"
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            if x.nbytes + y.nbytes > free // 2:
                return x.pin_memory(), y.pin_memory(), "streamed to the device"
        return x.to(self._device), y.to(self._device), "on the device"

    # Training

    def _train(self) -> None:
        self._probe()
        self._emit(events.StatusChanged("training"))
        self._start_clock()
        self._obey()
        for epoch in range(1, self.config.epochs + 1):
            self._train_epoch(epoch)
            if epoch < self.config.epochs:
                self.control.epoch_done()
            if self.control.attention:
                self._obey()
        self._probe()

    def _train_epoch(self, epoch: int) -> None:
        network, optimizer, recorder, control = self.network, self._optimizer, self._recorder, self.control
        capacity, clock = self._recorder_capacity, time.perf_counter
        self._epoch_sums = np.zeros(3)  # loss × samples, metric × samples, samples
        batches = data_iter(self._x_train, self._y_train, self.config.batch_size, self._order, self._device)
        for x, y in batches:
            # The training step: nothing but this may stand here.
            optimizer.zero_grad()
            output = network(x)
            loss = network.loss(output, y)
            network.objective(loss).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

            self._step += 1
            recorder.add(loss, output, y)
            if control.attention or clock() >= self._due or len(recorder) >= capacity:
                self._between_steps()
        self._publish()
        self._evaluate(epoch)

    def _between_steps(self) -> None:
        self._publish()
        if self.control.observed and time.perf_counter() >= self._probe_due:
            self._probe()
        if self.control.attention:
            self.control.step_done()
            self._obey()
        self._due = time.perf_counter() + PUBLISH_EVERY

    def _obey(self) -> None:
        """Do what was asked: change the learning rate, wait while paused, end."""
        waiting = False
        while True:
            if (lr := self.control.take_lr()) is not None:
                self._lr = lr
                set_lr(self._optimizer, lr)
                self._emit(events.LearningRateChanged(self._step, lr))
            if not waiting and self.control.mode == "pause" and not self.control.stopping:
                waiting = True
                self._stop_clock()
                self._emit(events.StatusChanged("paused"))
                self._probe()
            if not self.control.wait_while_paused(PROBE_EVERY):
                break
        if self.control.stopping:
            self._probe()
            raise Stopped
        if waiting:
            self._emit(events.StatusChanged("training"))
            self._start_clock()

    def _publish(self) -> None:
        """Tell the steps since the last time. A loss that is not finite ends the run there."""
        if not len(self._recorder):
            return
        losses, metrics, sizes = self._recorder.take()
        broken = np.flatnonzero(~np.isfinite(losses))
        if len(broken):
            # The steps after the first broken loss trained on nothing: they are not part of the run.
            self._diverged = True
            end = int(broken[0]) + 1
            self._step -= len(losses) - end
            losses, metrics, sizes = losses[:end], metrics[:end], sizes[:end]
        self._epoch_sums += (np.dot(losses, sizes), np.dot(metrics, sizes), sizes.sum())
        self._emit(events.StepsTrained(self._step, losses, metrics, self._elapsed()))
        if self._diverged:
            raise Stopped

    def _evaluate(self, epoch: int) -> None:
        """The validation part, in large batches, without gradients or dropout."""
        val_loss, val_score = self.evaluate(self._x_val, self._y_val)
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
            seconds=self._elapsed(),
        )
        self._epochs.append(ended)
        self._emit(ended)

    @torch.inference_mode()
    def evaluate(self, x: Tensor, y: Tensor) -> tuple[float, float]:
        """Mean loss and mean score (see `recorder.scores`) of the network on samples x (n, num_inputs), y."""
        size = max(1, EVALUATION_VALUES // max(x.shape[1], *self.config.hidden))
        losses = torch.zeros((), dtype=torch.float64, device=self._device)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        self.network.train(False)
        try:
            for part, labels in zip(torch.split(x, size), torch.split(y, size), strict=True):
                if self.control.stopping:
                    raise Stopped
                output = self.network(part)
                losses += self.network.loss(output, labels).double() * len(part)
                total += scores(self.config.task, output, labels).sum().double()
        finally:
            self.network.train(True)
        loss, score = (torch.stack((losses, total)) / len(x)).tolist()
        return loss, score

    def _probe(self) -> None:
        began = time.perf_counter()
        self._emit(events.LayersProbed(self._step, probe(self.network, self._probe_x, self._probe_y)))
        took = time.perf_counter() - began
        self._probe_due = time.perf_counter() + max(PROBE_EVERY, took / PROBE_SHARE)

    # The clock: training counts, loading and pauses do not.

    def _start_clock(self) -> None:
        self._resumed = time.perf_counter()
        self._due = self._resumed + PUBLISH_EVERY

    def _stop_clock(self) -> None:
        self._seconds = self._elapsed()
        self._resumed = None

    def _elapsed(self) -> float:
        return self._seconds + (time.perf_counter() - self._resumed if self._resumed is not None else 0.0)

    # The end

    def _result(self) -> str:
        last = self._epochs[-1]
        metric = "accuracy" if self.config.task == "classification" else "R²"
        return (
            f"after {last.epoch} epochs: loss {last.train_loss:.4g} train, {last.val_loss:.4g} validation; "
            f"{metric} {last.train_metric:.4f} train, {last.val_metric:.4f} validation"
        )

    def _summary(self, status: events.Status) -> dict[str, object]:
        """What `--json` prints. A figure that is not there, or not finite, is None."""
        config, seconds = self.config, self._elapsed()
        last = self._epochs[-1] if self._epochs else None
        summary: dict[str, object] = {
            "model": config.model,
            "implementation": config.implementation,
            "dataset": config.dataset,
            "device": self._device_name,
            "seed": config.seed,
            "epochs": len(self._epochs),
            "steps": self._step,
            "seconds": round(seconds, 4),
            "steps_per_s": round(self._step / seconds, 2) if seconds > 0 else 0.0,
            "train_loss": _finite(last.train_loss if last else None),
            "val_loss": _finite(last.val_loss if last else None),
            "status": status,
        }
        if config.task == "classification":
            summary["train_accuracy"] = _finite(last.train_metric if last else None)
            summary["val_accuracy"] = _finite(last.val_metric if last else None)
        else:
            summary["val_r2"] = _finite(last.val_metric if last else None)
            summary["parameters"] = self._parameters()
        return summary

    def _parameters(self) -> dict[str, object] | None:
        """Linear regression's weights and bias, and on synthetic data how far the truth is from them."""
        if not hasattr(self, "network"):
            return None
        _, weight, bias = self.network.weights()[-1]
        w, b = weight.detach().cpu().flatten(), bias.detach().cpu().flatten()
        found: dict[str, object] = {"weight": _finites(w), "bias": _finite(float(b))}
        if self._data.truth is not None:
            true_w, true_b = self._data.truth
            found["weight_error"] = _finites(true_w.flatten() - w)
            found["bias_error"] = _finite(float(true_b.flatten() - b))
        return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _finites(values: Tensor) -> list[float | None]:
    return [_finite(value) for value in values.tolist()]

"""What a training has come to, told as events: the steps since the last time, and an epoch at its end."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from d2ltui.data import Dataset
from d2ltui.engine.evaluation import evaluate
from d2ltui.engine.metrics import r_squared
from d2ltui.engine.observers import Sinks
from d2ltui.engine.preparation import Prepared
from d2ltui.engine.progress import Progress
from d2ltui.engine.threads import CoreMeter
from d2ltui.spec import events
from d2ltui.spec.catalogue import Task
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerSpec

# A loss beyond this has diverged, finite or not: cross-entropy's slope is bounded, so that a learning rate of 1e30
# takes softmax regression to losses of 1e29 and no further.
LARGEST_LOSS = 1e20

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


def loading(emit: events.Sink) -> Callable[[str, float | None], None]:
    """Who tells how far data are loaded: a sentence, and which part of them, where that is known."""
    return lambda message, fraction: emit(events.Loading(message, fraction))


def started(
    config: RunConfig, plan: tuple[LayerSpec, ...], data: Dataset, parts: Prepared, threads: int
) -> events.RunStarted:
    """That data and network are ready."""
    return events.RunStarted(
        config=config,
        device=str(parts.device),
        layers=plan,
        num_train=len(data.x_train),
        num_val=len(data.x_val),
        steps_per_epoch=math.ceil(len(data.x_train) / config.batch_size),
        residence=parts.residence,
        threads=threads,
    )


def note(emit: Sinks, at: Progress, text: str) -> None:
    """Tell something to know of how the run is trained."""
    emit(events.Noted(at.step, text))


def tell_of_meter(emit: Sinks, meter: CoreMeter) -> None:
    """Tell why other programs are no longer measured, once, where they are not."""
    if (error := meter.take_error()) is not None:
        emit.tell_failure(_("measuring other programs"), error)


def publish(parts: Prepared, progress: Progress, emit: Sinks) -> None:
    """Tell the steps since the last time. A loss that is not finite, or absurd, makes the run diverged there."""
    if len(parts.recorder):
        tell_steps(*parts.recorder.take(), progress, emit)


def tell_steps(losses: Floats, metrics: Floats, sizes: Counts, progress: Progress, emit: Sinks) -> None:
    """Tell the last steps, of which there is one at least: `progress.step` is the number of the last one."""
    if progress.step == len(losses):  # the first block of a run that has just begun
        progress.first_loss = float(losses[0])
    broken = np.flatnonzero(~(losses <= LARGEST_LOSS))  # nan is not less than anything
    if len(broken):
        # The steps after the first broken loss trained on nothing: they are not part of the run.
        end = int(broken[0]) + 1
        progress.step -= len(losses) - end
        losses, metrics, sizes = losses[:end], metrics[:end], sizes[:end]
        progress.broken_loss = float(losses[-1])
    progress.losses.extend(losses[-(progress.losses.maxlen or 0) :].tolist())
    progress.epoch_sums += (np.dot(losses, sizes), np.dot(metrics, sizes), sizes.sum())
    emit.step = progress.step
    emit(events.StepsTrained(progress.step, losses, metrics, progress.clock.seconds))


def end_epoch(
    task: Task, epoch: int, parts: Prepared, progress: Progress, emit: Sinks, between: Callable[[], None]
) -> None:
    """Evaluate the validation part, in large batches, without gradients or dropout, and tell the epoch's figures.

    `between` is called before each batch: what it raises passes.
    """
    val_loss, val_score = evaluate(parts.network, task, parts.x_val, parts.y_val, between)
    metric = float(r_squared(val_score, parts.val_variance)) if task == "regression" else val_score
    tell_epoch(epoch, val_loss, metric, progress, emit)


def tell_epoch(epoch: int, val_loss: float, val_metric: float, progress: Progress, emit: Sinks) -> None:
    """Tell the figures of an epoch whose steps have all been told."""
    loss_sum, metric_sum, samples = progress.epoch_sums
    ended = events.EpochEnded(
        epoch=epoch,
        step=progress.step,
        train_loss=float(loss_sum / samples),
        val_loss=val_loss,
        train_metric=float(metric_sum / samples),
        val_metric=val_metric,
        seconds=progress.clock.seconds,
    )
    progress.epochs.append(ended)
    emit(ended)
    if not val_loss <= LARGEST_LOSS:
        progress.broken_loss = val_loss  # the last step broke the weights, and no step may follow to notice

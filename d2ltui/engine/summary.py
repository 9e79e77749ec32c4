"""What is said of a run at its end: the summary that `--json` prints, and a sentence for people."""

from __future__ import annotations

import math
import traceback
from collections.abc import Sequence

import torch
from torch import Tensor

from d2ltui.data import DataError, LoaderError
from d2ltui.engine.checkpoint import CheckpointError
from d2ltui.engine.device import DeviceError, PrecisionError
from d2ltui.engine.progress import Progress
from d2ltui.nn import BuildError, Network
from d2ltui.spec import events
from d2ltui.spec.catalogue import Task
from d2ltui.spec.config import RunConfig
from d2ltui.spec.header import metric_title
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number, setting
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.text import counted

# Times the loss at the start, and of a guess. Rates that are too high make a loss hover at up to tens of times that
# (cross-entropy's slope is bounded, so that it settles at a height in proportion to the rate): bad, but it goes down
# again with a lower rate. At a hundred times, a squared error is an R² below −99, and a cross-entropy among ten classes
# 230: the right class has a probability that float32 cannot tell from 0, where exp(−104) is.
RAN_AWAY = 100.0
NEAR_GUESS = 0.1  # of the way from a guess's accuracy or R² to 1: who is not beyond knows no more than a guess


def result(task: Task, last: events.EpochEnded) -> str:
    """How a finished run ended."""
    metric = metric_title(task == "classification")
    return _(
        "after {epochs}: loss {train_loss} train, {val_loss} validation; {metric} {train_metric} train, {val_metric} "
        "validation"
    ).format(
        epochs=counted(last.epoch, "epoch", ","),
        train_loss=number(last.train_loss, 4),
        val_loss=number(last.val_loss, 4),
        metric=metric,
        train_metric=number(last.train_metric, 4),
        val_metric=number(last.val_metric, 4),
    )


def guess(config: RunConfig, variance: float, num_outputs: int) -> float:
    """The loss of who knows nothing of the inputs: equal probabilities, or always the mean of the target.

    `variance` is that of the training part's target. From scratch the squared loss has the factor ½ (section 3.4).
    """
    if config.task == "classification":
        return math.log(num_outputs)
    return variance / 2 if config.implementation == "scratch" else variance


def knows_something(metric: float, classes: int) -> bool:
    """Whether an accuracy among so many `classes`, or an R² where they are 0, is well above a guess's."""
    guess = 1 / classes if classes else 0.0
    return metric > guess + NEAR_GUESS * (1 - guess)


def has_run_away(last: events.EpochEnded, start: float, guess: float, classes: int) -> bool:
    """Whether a run that was trained to its end has diverged, though its loss is finite.

    It has where it knows no more than a guess, and its losses are beyond RAN_AWAY times those of the start and of a
    guess. Both losses of the last epoch must be: the train loss is a mean over the epoch, so that noise does not
    count, and a network that overfits has a low one; the validation loss is that of the weights as they ended, so that
    a bad batch with a recovery does not. `classes`: 0 in regression.
    """
    if knows_something(last.val_metric, classes):
        return False  # a few samples of which it is far too sure make a loss as large as one likes
    return min(last.train_loss, last.val_loss) > RAN_AWAY * max(start, guess)


def not_loaded() -> str:
    """What is said of a run that was stopped before its first step."""
    return _("stopped while loading")


def stopped(step: int, pruned: events.Finding | None = None) -> str:
    """What is said of a run that was stopped after so many steps, by somebody, or because it was given up."""
    return (
        events.PRUNED + _(" after step {step:,}: {what}").format(step=step, what=pruned.what)
        if pruned
        else _("stopped after step {step:,}").format(step=step)
    )


def outcome(task: Task, away: bool, at: Progress, guess: float) -> tuple[events.Status, str]:
    """How a run that was trained to its end has ended; `away`: its loss has run away, and a guess has `guess`."""
    last = at.epochs[-1]
    if not away:
        return "finished", result(task, last)
    return "diverged", ran_away(last, at.first_loss, guess, at.lr)


def ran_away(last: events.EpochEnded, start: float, guess: float, lr: float) -> str:
    """What is said of such a run."""
    return _(
        "the loss is {loss} after step {step:,}, started at {start}, and is {guess} for a guess: a lower lr than {lr} "
        "may help"
    ).format(loss=number(last.train_loss), step=last.step, start=number(start), guess=number(guess), lr=setting(lr))


def diverged(loss: float, step: int, lr: float, largest: float) -> str:
    """What is said of a run whose `loss` was no longer finite, or beyond the `largest`."""
    if math.isfinite(loss):
        said = _("the loss is beyond {largest} after step {step:,}: a lower lr than {lr} may help")
    else:
        said = _("the loss is no longer finite after step {step:,}: a lower lr than {lr} may help")
    return said.format(largest=number(largest), step=step, lr=setting(lr))


# Errors that the program has a sentence for, and the hyperparameter that each is about.
_EXPECTED: dict[type[Exception], str] = {
    DataError: "dataset",
    PrecisionError: "precision",
    DeviceError: "device",
    CheckpointError: "",
}


def describe_error(
    error: Exception, config: RunConfig, device: str, layers: Sequence[LayerSpec]
) -> tuple[str, str, str | None]:
    """The hyperparameter to blame for `error`, or ""; the sentence that says what happened; its traceback.

    An error that the program expects and has words for has no traceback. `layers` are the network's where it was built
    already when it happened.
    """
    if isinstance(error, ConfigError):
        return error.problems[0].field, error.problems[0].message, None
    trace = "".join(traceback.format_exception(error))
    for kind, field in _EXPECTED.items():
        if isinstance(error, kind):
            return field, str(error), trace if isinstance(error, LoaderError) else None
    return (*_unexpected(error, config, device, layers), trace)


def _unexpected(error: Exception, config: RunConfig, device: str, layers: Sequence[LayerSpec]) -> tuple[str, str]:
    if isinstance(error, BuildError):
        return "model", str(error)
    if not is_out_of_memory(error):
        said = str(error)
        if "CUDA error" in said:
            said = said.strip().split("\n", 1)[0]  # below it CUDA explains how to debug kernels
            if any(words in said for words in _FOR_GOOD):
                said += _("; start d2ltui again, for a process in which that has happened computes no more on a GPU")
        return "", f"{type(error).__name__}: {said}" if said else type(error).__name__
    weights = sum(layer.parameters for layer in layers)  # and as many gradients; a batch has outputs and theirs
    too_wide = "hidden" in MODELS[config.model].fields and weights >= config.batch_size * sum(
        layer.num_values for layer in layers
    )
    field = "hidden" if too_wide else "batch_size"
    value = ",".join(map(str, config.hidden)) if too_wide else str(config.batch_size)
    return field, _(
        "{field}: {value} does not fit into the memory of {device}; allowed: what fits, so try fewer"
    ).format(field=field, value=value, device=device)


# What it is called where it is a plain RuntimeError: by the CPU's allocator, by CUDA's libraries, outside PyTorch's own
# allocator.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "_STATUS_ALLOC_FAILED",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate",  # whose handle takes memory
    "MPS backend out of memory",
)
# After these CUDA fails whatever a process asks of it.
_FOR_GOOD = ("illegal memory access", "misaligned address", "device-side assert", "launch failure", "launch timed out")


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` says that there is not memory enough."""
    told = any(words in str(error) for words in _OUT_OF_MEMORY)
    return told or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def summary(
    config: RunConfig,
    device: str,
    status: events.Status,
    epochs: Sequence[events.EpochEnded],
    step: int,
    seconds: float,
    parameters: dict[str, object] | None,
) -> dict[str, object]:
    """What `--json` prints. A figure that is not there, or not finite, is None."""
    last = epochs[-1] if epochs else None
    found: dict[str, object] = {
        "model": config.model,
        "implementation": config.implementation,
        "dataset": config.dataset,
        "device": device,
        "seed": config.seed,
        "epochs": last.epoch if last else 0,
        "steps": step,
        "seconds": round(seconds, 4),
        "steps_per_s": round(step / seconds, 2) if seconds > 0 else 0.0,
        "train_loss": _finite(last.train_loss if last else None),
        "val_loss": _finite(last.val_loss if last else None),
        "status": status,
    }
    if config.task == "classification":
        found["train_accuracy"] = _finite(last.train_metric if last else None)
        found["val_accuracy"] = _finite(last.val_metric if last else None)
    else:
        found["val_r2"] = _finite(last.val_metric if last else None)
        found["parameters"] = parameters
    return found


def parameters(network: Network, truth: tuple[Tensor, Tensor] | None) -> dict[str, object] | None:
    """Linear regression's weights and bias, and where the truth is known, how far it is from them.

    None of a network of several layers.
    """
    layers = network.weights()
    if len(layers) != 1:
        return None
    ((__, weight, bias),) = layers
    w, b = weight.detach().cpu().flatten(), bias.detach().cpu().flatten()
    found: dict[str, object] = {"weight": _finites(w), "bias": _finite(float(b))}
    if truth is not None:
        true_w, true_b = truth
        found["weight_error"] = _finites(true_w.flatten() - w)
        found["bias_error"] = _finite(float(true_b.flatten() - b))
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _finites(values: Tensor) -> list[float | None]:
    return [_finite(value) for value in values.tolist()]

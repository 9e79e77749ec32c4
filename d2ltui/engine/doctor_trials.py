"""A trial of the doctor's: a run with one setting changed, and as many epochs of it as it may take."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from d2ltui.data import Dataset
from d2ltui.diagnosis.causes import Cause
from d2ltui.diagnosis.remedies import in_words
from d2ltui.spec import events
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted

TRIAL_SECONDS = 2.0  # that a trial may take on a machine as slow as these two figures
STEP_SECONDS, FLOPS = 3e-4, 3e10

Trial = Callable[[RunConfig, Dataset], Sequence[events.EpochEnded]]
Progress = Callable[[str, float | None], None]  # what is done, and how far it is


def in_words_of(cause: Cause) -> str:
    """What is changed, such as `lr 0.1`."""
    if cause.remedy:
        return in_words(cause.remedy)
    return _("inputs divided by {scale}").format(scale=number(1 / cause.factor))


def trial_epochs(config: RunConfig, data: Dataset) -> int:
    """As many epochs of the run as a trial may take."""
    return min(config.epochs, affordable_epochs(config, data))


def affordable_epochs(config: RunConfig, data: Dataset) -> int:
    """As many epochs as a trial may take, whether the run has so many or not: one at least."""
    parameters = sum(layer.parameters for layer in layer_plan(config, data.info))
    seconds = STEP_SECONDS + 6 * config.batch_size * parameters / FLOPS
    steps = TRIAL_SECONDS / seconds
    return int(max(1, steps // math.ceil(len(data.x_train) / config.batch_size)))


def scaled(data: Dataset, factor: float) -> Dataset:
    """`data` with its inputs multiplied."""
    if factor == 1.0:
        return data
    return dataclasses.replace(data, x_train=data.x_train * factor, x_val=data.x_val * factor)


def epochs_in_words(number: int, total: int) -> str:
    """`3 epochs`, or, of a run that has more of them than a trial, `3 of 100 epochs`."""
    if number >= total:
        return counted(number, "epoch")
    return ngettext("{number} of {total} epoch", "{number} of {total} epochs", total).format(number=number, total=total)

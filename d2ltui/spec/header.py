"""RunHeader: what a run is, whoever trains it and however it was built.

Histories, charts, screens and exports know a run by its header alone; a RunConfig is how this engine makes one.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Literal

import msgspec

from d2ltui.spec.datasets import DATA_FIELDS, DATASET_SOURCES, DescriptionError, Task
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.models import MODELS

if TYPE_CHECKING:
    from d2ltui.spec.config import RunConfig

Metric = Literal["accuracy", "r2"]


def metric_title(classification: object) -> str:
    """What is told beside the loss, as people write it; of regression where `classification` is false, None or 0."""
    return _("accuracy") if classification else "R²"


def validation(metric: str) -> str:
    """The `metric` of the validation part: `validation accuracy`."""
    return _("validation {metric}").format(metric=metric)


class RunHeader(msgspec.Struct, frozen=True):
    """A run, as far as it is known from outside.

    `params` are its hyperparameters, in order: names and plain values, whatever they are. `steps_per_epoch` and
    `epochs` are None where nobody has said. `source` names the program that trains it.
    """

    params: dict[str, object] = {}
    task: Task = "classification"
    steps_per_epoch: int | None = None
    epochs: int | None = None
    layers: tuple[LayerSpec, ...] = ()
    name: str = ""
    source: str = "d2ltui"

    @property
    def metric(self) -> Metric:
        """What is told beside the loss: accuracy, or R² in regression."""
        return "accuracy" if self.task == "classification" else "r2"

    @property
    def metric_title(self) -> str:
        """The metric as people write it."""
        return metric_title(self.task == "classification")

    @property
    def lr(self) -> float:
        """The learning rate that the run starts with; nan where nobody has said."""
        lr = self.params.get("lr")
        return float(lr) if isinstance(lr, (int, float)) else math.nan

    @property
    def total_steps(self) -> int | None:
        """Training steps of the whole run, where that is known."""
        if self.steps_per_epoch is None or self.epochs is None:
            return None
        return self.steps_per_epoch * self.epochs

    def epoch_of(self, step: int) -> int:
        """The epoch, from 1, that step number `step` is part of; 1 where the length of an epoch is not known."""
        if self.steps_per_epoch is None:
            return 1
        epoch = max(1, math.ceil(step / self.steps_per_epoch))
        return epoch if self.epochs is None else min(epoch, self.epochs)

    def in_epochs(self, steps: float) -> float:
        """`steps` as a number of epochs; where the length of an epoch is not known, of steps."""
        return steps / (self.steps_per_epoch or 1)


def epoch_columns(header: RunHeader) -> tuple[str, ...]:
    """What a table of epochs has above its columns: the epoch, both losses, both metrics, the seconds."""
    metric = header.metric_title
    return (
        _("epoch"),
        _("train loss"),
        _("val loss"),
        _("train {metric}").format(metric=metric),
        _("val {metric}").format(metric=metric),
        _("seconds"),
    )


def _params_of(config: RunConfig) -> dict[str, object]:
    """The hyperparameters that the model has, and those that this version does not know; not where the data lie."""
    from d2ltui.spec.versions import unknown_fields  # which needs what most readers of a header do not

    fields = MODELS[config.model].fields if config.model in MODELS else ()
    of_data = DATASET_SOURCES[config.dataset].fields if config.dataset in DATASET_SOURCES else ()
    names = ("model", "dataset", "implementation", *(name for name in DATA_FIELDS if name in of_data), *fields)
    return {name: getattr(config, name) for name in names if name != "data_dir"} | unknown_fields(config)


def header_of(config: RunConfig) -> RunHeader:
    """The header of a run of this engine before its data is loaded: what the configuration promises."""
    steps_per_epoch = None
    with contextlib.suppress(DescriptionError):  # another version of the data set was another
        steps_per_epoch = config.steps_per_epoch
    return RunHeader(
        params=_params_of(config),
        task=config.task,
        steps_per_epoch=steps_per_epoch,
        epochs=config.epochs,
    )

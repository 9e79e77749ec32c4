"""Data sets: loading, splitting, normalising, and handing out batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from d2ltui.nn.seeds import seed_for
from d2ltui.spec import catalogue
from d2ltui.spec.catalogue import DatasetInfo
from d2ltui.spec.config import RunConfig
from d2ltui.spec.text import printable

__all__ = ["DataError", "Dataset", "LoadCancelled", "load"]

Progress: TypeAlias = Callable[[str, "float | None"], None]


MAX_SENTENCE = 2000  # characters: it may hold several paths and servers


class DataError(Exception):
    """A data set that cannot be had. Its text is one sentence, fit for a terminal: what was tried, and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence, MAX_SENTENCE))


class LoadCancelled(Exception):
    """Loading was given up because `cancelled()` said so."""


@dataclass(frozen=True)
class Dataset:
    """A data set whole in the CPU's memory, ready for a model.

    `x_train`, `x_val`: float32 (n, num_inputs), normalised as `info.normalisation` says. `y_train`, `y_val`:
    int64 (n,) class numbers for classification, float32 (n, 1) for regression. `truth`: the w (2, 1) and
    b (1,) of synthetic-linear, None for the others.
    """

    info: DatasetInfo
    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor
    truth: tuple[Tensor, Tensor] | None = None


def load(
    config: RunConfig,
    progress: Progress = lambda message, fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Dataset:
    """The data set that `config` names, downloaded first where it is torchvision's and not there yet.

    `progress(message, fraction)` is told what happens, `fraction` from 0 to 1 or None where it is not known.

    Raises:
        DataError: with one sentence, where the data cannot be had.
        LoadCancelled: soon after `cancelled()` has turned true.
    """
    info = catalogue.DATASETS[config.dataset]
    progress(f"{info.name}: loading", None)
    if info.origin == "torchvision":
        from d2ltui.data import vision

        return vision.load(info, config.data_dir, progress, cancelled)
    from d2ltui.data import tabular

    return tabular.load(info, seed_for(config.seed, "data"))

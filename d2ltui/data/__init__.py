"""Data sets: loading, splitting, normalising, and handing out batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import torch
from torch import Tensor

from d2ltui.spec.config import RunConfig
from d2ltui.spec.datasets import DATASET_SOURCES, DatasetInfo
from d2ltui.spec.language import _
from d2ltui.spec.registry import load_object
from d2ltui.spec.text import printable

__all__ = ["DataError", "Dataset", "LoadCancelled", "LoaderError", "check_loaded", "load"]

Progress: TypeAlias = Callable[[str, "float | None"], None]


MAX_SENTENCE = 2000  # characters: it may hold several paths and servers


class DataError(Exception):
    """A data set that cannot be had. Its text is one sentence, fit for a terminal: what was tried, and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence, MAX_SENTENCE))


class LoaderError(DataError):
    """A data set whose loader failed of something else; that is the cause of this."""


class LoadCancelled(Exception):
    """Loading was given up because `cancelled()` said so."""


@dataclass(frozen=True)
class Dataset:
    """A data set whole in the CPU's memory, ready for a model.

    `x_train`, `x_val`: float32 (n, num_inputs), normalised as `info.normalisation` says. `y_train`, `y_val`:
    int64 (n,) class numbers for classification, float32 (n, 1) for regression. `truth`: the w (2, 1) and
    b (1,) of synthetic-linear, None for the others. `curve`: what makes labels (n, 1), without noise, of inputs (n, 1),
    where that is known.
    """

    info: DatasetInfo
    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor
    truth: tuple[Tensor, Tensor] | None = None
    curve: Callable[[Tensor], Tensor] | None = None


def load(
    config: RunConfig,
    progress: Progress = lambda message, fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Dataset:
    """The data set that `config` names, downloaded first where it is one that is, and not there yet.

    `progress(message, fraction)` is told what happens, `fraction` from 0 to 1 or None where it is not known.

    Raises:
        DataError: with one sentence, where the data cannot be had.
        LoadCancelled: soon after `cancelled()` has turned true.
    """
    source = DATASET_SOURCES[config.dataset]
    progress(_("{name}: loading").format(name=source.name), None)
    try:
        info = config.dataset_info
        loader = load_object(source.loader)
        loaded = loader(info, msgspec.structs.asdict(config), progress, cancelled)
        check_loaded(info, loaded)
    except (DataError, LoadCancelled, MemoryError):
        raise
    except Exception as error:  # whatever another package's loader raises, it is told in words
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise LoaderError(_("{name}: cannot be loaded ({why})").format(name=source.name, why=why)) from error
    return loaded  # type: ignore[no-any-return]


def check_loaded(info: DatasetInfo, loaded: object) -> None:
    """That `loaded` is the Dataset that `info` describes.

    Raises:
        DataError: where it is not, with what it has instead.
    """
    if not isinstance(loaded, Dataset):
        raise DataError(
            _("{name}: its loader returns a {kind} and not a Dataset").format(
                name=info.name, kind=type(loaded).__name__
            )
        )
    classification = info.task == "classification"
    for part, size in (("train", info.train_size), ("val", info.val_size)):
        x, y = getattr(loaded, f"x_{part}"), getattr(loaded, f"y_{part}")
        wanted = (
            (f"x_{part}", x, (size, info.num_inputs), torch.float32),
            (
                f"y_{part}",
                y,
                (size,) if classification else (size, 1),
                torch.int64 if classification else torch.float32,
            ),
        )
        for name, tensor, shape, dtype in wanted:
            if not isinstance(tensor, Tensor):
                raise DataError(
                    _("{name}: its {part} is a {kind} and not a tensor").format(
                        name=info.name, part=name, kind=type(tensor).__name__
                    )
                )
            if tensor.shape != shape or tensor.dtype != dtype:
                has, should = f"{tuple(tensor.shape)} {tensor.dtype}", f"{shape} {dtype}"
                raise DataError(
                    _("{name}: its {part} is {has} instead of {should}")
                    .format(name=info.name, part=name, has=has, should=should)
                    .replace("torch.", "")
                )
        if classification and not 0 <= int(y.min()) <= int(y.max()) < info.num_outputs:
            raise DataError(
                _("{name}: its y_{part} has labels that are not from 0 to {num_outputs}").format(
                    name=info.name, part=part, num_outputs=info.num_outputs - 1
                )
            )

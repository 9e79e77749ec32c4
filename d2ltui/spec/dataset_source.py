"""What a data set is before anything of it is loaded, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from d2ltui.spec.language import _, pgettext
from d2ltui.spec.registry import check_line, check_reference, check_struct
from d2ltui.spec.text import printable

Task: TypeAlias = Literal["regression", "classification"]
Params: TypeAlias = Mapping[str, Any]  # a run's parameters: names and plain values; empty where there is no run yet

# Hyperparameters of a run that some data sets have, in the order in which a form shows them.
DATA_FIELDS = ("function", "noise", "samples", "val_fraction", "factor", "turns")
SYNTHETIC = "synthetic"  # the origin of data that a run's seed makes


class DatasetInfo(msgspec.Struct, frozen=True):
    """A data set: its task, its shape, its parts, and what is done to it before a model sees it.

    `origin` says who it comes from, such as `scikit-learn`; `synthetic` is for data that the run's seed makes.
    `downloaded` is for files that lie in the data directory, and come there by a download where they can. `truth` are
    the weights of a linear function and its bias, where that has made the labels.
    """

    name: str
    title: str
    task: Task
    origin: str
    input_shape: tuple[int, ...]
    num_outputs: int
    train_size: int
    val_size: int
    normalisation: str
    description: str
    classes: tuple[str, ...] = ()
    downloaded: bool = False
    truth: tuple[float, ...] = ()

    @property
    def num_inputs(self) -> int:
        """The number of numbers in one sample."""
        return math.prod(self.input_shape)

    @property
    def named(self) -> tuple[str, ...]:
        """The names of the classes in the language that is spoken."""
        return tuple(pgettext("class", name) for name in self.classes)

    @property
    def embedded(self) -> bool:
        """Whether it needs neither a download nor a data directory."""
        return not self.downloaded


class DescriptionError(ValueError):
    """A data set that its source cannot describe. Its text is one sentence that names the data set."""


class DatasetSource(msgspec.Struct, frozen=True):
    """Where a data set comes from, and all that the program needs to know of it before it is loaded.

    `info` describes the data set where no parameter is given. `sized` is for one whose size or shape depends on a
    run's parameters: a function of those, all of them or none, that returns the DatasetInfo. It is called often, and
    by the interface, so it computes from its arguments and reads no file. `fields` are those of DATA_FIELDS that it
    has a use for, with their defaults.

    `loader` is a reference, `module:function`, that is imported when the data is loaded. The function is called with
    the DatasetInfo, the run's parameters, `progress(message, fraction)`, which may be called to tell how far it is
    (`fraction` from 0 to 1, or None), and `cancelled()`, which says whether the run has been given up. It returns a
    `d2ltui.data.Dataset`, and raises `d2ltui.data.DataError` where the data cannot be had.
    """

    info: DatasetInfo
    loader: str
    sized: Callable[[Params], DatasetInfo] | None = None
    fields: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """As an option, the form and a stored run have it."""
        return self.info.name

    @property
    def title(self) -> str:
        """As people write it."""
        return self.info.title

    @property
    def task(self) -> Task:
        """Regression or classification."""
        return self.info.task

    @property
    def origin(self) -> str:
        """Who it comes from."""
        return self.info.origin

    def describe(self, params: Params | None = None) -> DatasetInfo:
        """The data set as it is for a run with `params`.

        Raises:
            DescriptionError: where there is none for those.
        """
        if not params or self.sized is None:
            return self.info
        try:
            info = self.sized(params)
            check_info(info)
        except Exception as error:  # whatever another package's function raises, it is told in words
            said = printable(str(error) or type(error).__name__, 300)
            raise DescriptionError(
                _("dataset: '{name}' is not allowed here; {said}").format(name=self.name, said=said)
            ) from error
        if (info.name, info.task) != (self.name, self.task):
            raise DescriptionError(
                _("dataset: '{name}' describes itself as {given} ({task})").format(
                    name=self.name, given=info.name, task=info.task
                )
            )
        return info


def check_source(source: DatasetSource) -> None:
    """That `source` can be offered. Raises ValueError, with what is wrong."""
    check_info(source.info)
    check_reference(source, "loader")
    if unknown := [name for name in source.fields if name not in DATA_FIELDS]:
        raise ValueError(f"fields: '{unknown[0]}' is not allowed; allowed: {', '.join(DATA_FIELDS)}")
    if source.sized is not None and not callable(source.sized):
        raise ValueError("sized: it is not a function")


def check_info(info: DatasetInfo) -> None:
    """That `info` makes sense. Raises ValueError, with what is wrong."""
    if not isinstance(info, DatasetInfo):
        raise ValueError(f"info: it is a {type(info).__name__} and not a DatasetInfo")
    check_struct(info)
    check_line(info, "title", "origin", "normalisation", "description")
    if wrong := [name for name in info.classes if not name or printable(name) != name]:
        raise ValueError(f"classes: {wrong[0]!r} is not a line of text")
    for field in ("train_size", "val_size", "num_outputs"):
        if (number := getattr(info, field)) < 1:
            raise ValueError(f"{field}: {number} is not allowed; allowed: a whole number, 1 or more")
    if not info.input_shape or min(info.input_shape) < 1:
        raise ValueError(f"input_shape: {info.input_shape} is not allowed; allowed: whole numbers, 1 or more")
    if info.task == "regression" and info.num_outputs != 1:
        raise ValueError(f"num_outputs: {info.num_outputs} is not allowed; allowed: 1, as its task is regression")
    if info.task == "classification" and len(info.classes) != info.num_outputs:
        raise ValueError(f"classes: {len(info.classes)} names are not allowed; allowed: one for each output")

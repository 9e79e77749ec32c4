"""What a list of runs may show of each one: columns, by the names that `d2ltui runs --columns` takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from d2ltui.spec.comparison import loss_factors
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import duration, number, rate, setting, signed
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import quoted
from d2ltui.store import remembered
from d2ltui.store.errors import NotAllowed
from d2ltui.store.listing import RunInfo

FILE = "columns.json"
USUAL = ("status", "epochs", "val_loss", "val_metric", "lr", "hidden", "activation", "begun", "note")
IN_THE_SHELL = ("status", "begun", "lr", "epochs", "steps", "train_loss", "val_loss", "val_metric", "findings")


class Manner(NamedTuple):
    """How a value is written: the significant digits of a figure, and a moment as `time.strftime` takes it.

    `translated` are the words of a status; they are not where they can be typed again, as in a filter.
    """

    digits: int = 3
    moment: str = "%m-%d %H:%M"
    translated: bool = True


class Column(NamedTuple):
    """A column: the name that is typed, a cell's text, and the figure that can be compared with a baseline's."""

    name: str
    text: Callable[[RunInfo, Manner], str]
    figure: Callable[[RunInfo], float | None] | None = None

    @property
    def title(self) -> str:
        """What stands above it, in the language of the process."""
        return pgettext("column", self.name.replace("_", " "))


def chosen(text: str) -> tuple[str, ...]:
    """The columns of `status,lr,val_loss`.

    Raises:
        NotAllowed: where there is no column of a name, or none at all.
    """
    names = [word.strip().replace("-", "_") for word in text.split(",") if word.strip()]
    for name in names:
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS)
            raise NotAllowed(
                _("columns: {name} is no column{hint}; allowed: {columns}").format(
                    name=quoted(name), hint=hint, columns=", ".join(COLUMNS)
                )
            )
    if not names:
        raise NotAllowed(
            _("columns: '' is not allowed; allowed, separated by commas: {columns}").format(columns=", ".join(COLUMNS))
        )
    return tuple(dict.fromkeys(names))


def read() -> tuple[str, ...]:
    """The columns that somebody has chosen for the table of runs; the usual ones where nobody has.

    Raises:
        StoreError: where the file cannot be read, or holds none.
    """
    found = remembered.read(FILE, list[str], _("the columns of the list of runs"))
    known = tuple(name for name in found or () if name in COLUMNS)  # another version may have others
    return USUAL if found is None else known


def write(names: Sequence[str]) -> None:
    """Remember them.

    Raises:
        StoreError: where that cannot be.
    """
    remembered.write(FILE, list(names), _("the columns of the list of runs"))


def text_of(column: Column, run: RunInfo, manner: Manner, baseline: RunInfo | None = None) -> str:
    """The text of a cell; of a figure that `baseline` has, too, in the same unit, with the difference behind it."""
    said = column.text(run, manner)
    if column.figure is None or baseline is None or run.name == baseline.name or not _comparable(column, run, baseline):
        return said
    figure, of_baseline = column.figure(run), column.figure(baseline)
    if figure is None or of_baseline is None:
        return said
    return f"{said} ({signed(figure - of_baseline, 2)})"


def _comparable(column: Column, run: RunInfo, baseline: RunInfo) -> bool:
    """Whether the two have the same loss and metric: no cross-entropy is compared with a squared error, or half one."""
    if not column.name.endswith(("_loss", "_metric")):
        return True
    if run.header is None or baseline.header is None or run.header.task != baseline.header.task:
        return False
    return len(set(loss_factors([run.header, baseline.header]))) == 1 or not column.name.endswith("_loss")


def _figure(name: str) -> Column:
    def value(run: RunInfo) -> float | None:
        return run.value(name)  # type: ignore[no-any-return]

    def text(run: RunInfo, manner: Manner) -> str:
        return "–" if (found := value(run)) is None else number(found, manner.digits)

    return Column(name, text, value)


def _steps_per_s(run: RunInfo) -> float | None:
    return run.steps / run.seconds if run.steps and run.seconds > 0 else None


def _plain(name: str) -> Column:
    return Column(name, lambda run, __: str(getattr(run, name)))


def _hyperparameter(name: str) -> Column:
    def text(run: RunInfo, manner: Manner) -> str:
        if run.config is not None and (run.config.model not in MODELS or not _has(run, name)):
            return ""  # of a model that has no such field, or is not known to this version
        found = run.value(name)
        return "" if found is None else "none" if found == () else setting(found)

    return Column(name, text)


def _has(run: RunInfo, name: str) -> bool:
    return run.header is None or name in run.header.params or name in ("model", "dataset", "implementation")


def _moment(run: RunInfo, manner: Manner) -> str:
    return time.strftime(manner.moment, time.localtime(run.created)) if run.created else ""


def _count(run: RunInfo) -> float | None:
    return run.steps or None


def _seconds(run: RunInfo) -> float | None:
    return run.seconds or None


_OTHERS = (
    Column("status", lambda run, manner: pgettext("status", run.status) if manner.translated else run.status),
    Column("epochs", lambda run, __: run.progress),
    *map(_figure, ("train_loss", "val_loss", "train_metric", "val_metric")),
    *map(_figure, ("best_train_loss", "best_val_loss", "best_train_metric", "best_val_metric")),
    Column("steps", lambda run, __: f"{run.steps:,}" if run.steps else "", _count),
    Column("steps_per_s", lambda run, __: "" if (found := _steps_per_s(run)) is None else rate(found), _steps_per_s),
    Column("time", lambda run, __: duration(run.seconds) if run.seconds else "", _seconds),
    Column("findings", lambda run, __: run.tally.words),
    Column("finding", lambda run, __: run.findings[0].rule if run.tally.severity is not None else ""),
    Column("begun", _moment),
    Column("lr", lambda run, __: run.rates),
    *map(_plain, ("group", "note", "host", "device")),
)
_FIRST = {column.name: column for column in _OTHERS}
COLUMNS: Mapping[str, Column] = _FIRST | {
    name: _hyperparameter(name) for name in FIELDS if name not in ("data_dir", *_FIRST)
}

"""The orders in which stored runs are listed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from d2ltui.spec.language import _, pgettext
from d2ltui.store.columns import COLUMNS, Manner

if TYPE_CHECKING:
    from d2ltui.store.listing import RunInfo

_MANNER = Manner()
_Value = tuple[int, float, str]


class Order(NamedTuple):
    """By what is in a column, the name of the run among them; with `falls`, the largest first."""

    column: str
    falls: bool = False

    @property
    def title(self) -> str:
        """As the list tells it."""
        if (found := _TITLES.get(self)) is not None:
            return found
        column = COLUMNS[self.column].title if self.column in COLUMNS else pgettext("column", self.column)
        if self.falls:
            return _("by {column}, the largest first").format(column=column)
        return _("by {column}, the smallest first").format(column=column)

    def following(self) -> Order:
        """The one of the usual orders that comes next."""
        usual = list(_TITLES)
        return usual[(usual.index(self) + 1) % len(usual)] if self in usual else usual[0]

    def by(self, column: str) -> Order:
        """That of another column, what is best or newest first; of the same one, the other way round."""
        if column == self.column:
            return Order(column, not self.falls)
        return next((order for order in _TITLES if order.column == column), Order(column))

    def arranged(self, runs: Iterable[RunInfo]) -> list[RunInfo]:
        """`runs` in this order: what has no such value is last, and names decide between equals."""
        found = [(run, _value(run, self.column)) for run in sorted(runs, key=lambda run: run.name)]
        known = [(run, value) for run, value in found if value is not None]
        known.sort(key=lambda each: each[1], reverse=self.falls)
        return [run for run, __ in known] + [run for run, value in found if value is None]


_TITLES = {
    Order("begun", True): _("newest first"),
    Order("val_loss"): _("by validation loss"),
    Order("val_metric", True): _("by validation metric"),
    Order("run"): _("by name"),
}
NEWEST_FIRST = Order("begun", True)


def _value(run: RunInfo, column: str) -> _Value | None:
    """What is compared: figures before words."""
    if column == "run":
        return 1, 0.0, run.name
    if column == "begun":
        return 0, run.created, ""
    shown = COLUMNS[column]
    found = shown.figure(run) if shown.figure is not None else run.value(column)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return None if math.isnan(found) else (0, float(found), "")
    text = shown.text(run, _MANNER) if shown.figure is None else ""
    return (1, 0.0, text) if text else None

"""A cell of a stored map, trained as a run of its own."""

from __future__ import annotations

from typing import Any

from d2ltui.cli import map_report
from d2ltui.spec.axes import Axis
from d2ltui.spec.language import _
from d2ltui.spec.maps import Cell, MapSpec, best, called
from d2ltui.spec.numbers import setting
from d2ltui.spec.text import quoted
from d2ltui.store.errors import NotAllowed
from d2ltui.store.map_reader import MapReader
from d2ltui.store.maps import find

BEST = "best"


def train_cell(reference: str, place: str, show: str | None, **how: Any) -> int:
    """Train the run in a cell of a stored map, with its seed (of several, the first one), and store it.

    `place` are both values, as `show` writes them, or `best`: by the quantity `show`. Returns the exit status.

    Raises:
        NotAllowed: where there is no such map or cell.
        StoreError: where the map cannot be read.
    """
    from d2ltui.runner.headless import train

    reader = MapReader(find(reference))
    spec = reader.spec
    if place == BEST:
        found = best(reader.known.cells, quantity := map_report.quantity_of(spec.config, show))
        if found is None:
            raise NotAllowed(
                _("take: no cell of {name} has come to a best {quantity}; allowed: X,Y").format(
                    name=reader.name, quantity=called(quantity)
                )
            )
        cell = found[0]
    else:
        cell = cell_at(spec, place)
    return train(spec.run_of(cell), store=True, **how)


def cell_at(spec: MapSpec, place: str) -> Cell:
    """The cell with the two values `X,Y`.

    Raises:
        NotAllowed: where there is none.
    """
    x, comma, y = place.partition(",")
    if not comma:
        raise NotAllowed(
            _("take: {place} is not allowed; allowed: a value of {both}, or {best}").format(
                place=quoted(place), both=_both(spec), best=BEST
            )
        )
    return _index(spec.x, x.strip()), _index(spec.y, y.strip())


def _both(spec: MapSpec) -> str:
    return _("{x}, a comma, and one of {y}").format(x=spec.x.field, y=spec.y.field)


def _index(axis: Axis, text: str) -> int:
    texts = [setting(value) for value in axis.values]
    exact = [setting(value, exact=True) for value in axis.values]
    for known in (exact, texts):
        if text in known:
            return known.index(text)
    try:
        number = float(text)
        return [float(value) for value in axis.values].index(number)
    except (ValueError, TypeError):
        shown = ", ".join(texts if len(texts) <= 8 else [*texts[:4], "…", *texts[-3:]])
        raise NotAllowed(
            _("take: {field} {text} is not on the map; allowed: {shown}").format(
                field=axis.field, text=quoted(text), shown=shown
            )
        ) from None

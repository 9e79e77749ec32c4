"""The frames between panes: which one a mouse has taken hold of, and what the panes beside it get where it goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from textual.geometry import Region

LEAST_ROWS, LEAST_COLUMNS = 4, 20  # of a pane beside one that is made larger


class Boundary(NamedTuple):
    """Two neighbours, by name: one above the other, or columns `beside` each other."""

    first: str
    second: str
    beside: bool


def boundary_at(
    x: int, y: int, columns: Sequence[tuple[str, Region]], panes: Mapping[str, Sequence[tuple[str, Region]]]
) -> Boundary | None:
    """The boundary at a place of the screen; None where there is none.

    `columns` stand from left to right, and `panes` of each from top to bottom; only what can be seen is among them.
    """
    for (left, region), (right, other) in pairwise(columns):
        if x in (region.right - 1, other.x) and min(region.y, other.y) <= y < max(region.bottom, other.bottom):
            return Boundary(left, right, beside=True)
    for column, region in columns:
        if not region.x <= x < region.right:
            continue
        for (above, upper), (below, lower) in pairwise(panes[column]):
            if y in (upper.bottom - 1, lower.y):
                return Boundary(above, below, beside=False)
    return None


def divided(
    first: int,
    second: int,
    moved: int,
    weights: tuple[float, float],
    *,
    beside: bool,
    bounds: tuple[float, float] = (0.0, math.inf),
) -> tuple[float, float]:
    """The weights of two neighbours, of `first` and `second` rows or columns, once the frame between them has `moved`.

    Their sum stays, so that nothing else changes; each keeps a least size, and the first one's weight its `bounds`.
    """
    both, total = first + second, sum(weights)
    least = min(LEAST_COLUMNS if beside else LEAST_ROWS, both // 2)
    share = min(both - least, max(least, first + moved)) / both * total
    share = min(bounds[1], max(bounds[0], share))
    return share, total - share

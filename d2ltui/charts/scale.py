"""One scale for all that stands along an axis: values, ticks, labels and markers are put on dots by the same object."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

from d2ltui.charts import axes

# What an axis with so few ticks costs, in shares of its length: a little of it is given up for one tick more.
_FEW_TICKS = {0: 1.0, 1: 0.5, 2: 0.08, 3: 0.03, 4: 0.01}
_CROWDED = 0.05
_CROWDED_ROWS, _LOW = 0.2, 6  # a label in each row, where there are more rows than so many
_WANTED_EVERY = 5  # cells: an axis that is longer has more ticks, whatever else would fill it better
_FEWER_THAN_WANTED = 0.45
_SLACK = 1e-6  # of a dot


class Axis(NamedTuple):
    """An axis of `dots` dots. `low` and `high` are the values on its first and its last dot, exponents where `log`.

    `ticks` are in the same scale, `labels` are their texts.
    """

    low: float
    high: float
    dots: int
    ticks: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    log: bool = False
    end: float | None = None  # where its line ends, if that is before the last dot

    @property
    def factor(self) -> float:
        """Dots per unit."""
        return (self.dots - 1) / (self.high - self.low)

    def dot(self, value: float) -> int:
        """The dot nearest to `value`, which is in the axis's scale; it may lie beyond the ends."""
        return math.floor((value - self.low) * self.factor + 0.5)

    def value(self, dot: float) -> float:
        """What lies on `dot`: the inverse of `dot`, in the values' own scale."""
        value = self.low + dot / self.factor
        return 10**value if self.log else value


class Room(NamedTuple):
    """What an axis has to fit into: `cells` of `dots` dots each.

    Ticks lie `grain` dots apart, or a multiple of that: a whole cell where each label stands beside its tick, so that
    it stands at the same height beside it. `gap` is the fewest cells from one tick to the next; with `along`, a label
    takes room along the axis, too. `label` is the most characters that a label may have.
    """

    cells: int
    dots: int
    grain: int
    gap: int
    label: int
    along: bool = False

    @property
    def home(self) -> int:
        """The dot of a cell on which the ticks lie where they lie on whole cells: the middle one, the lower of two."""
        return (self.dots - 1) // 2 if self.grain == self.dots else 0

    @property
    def grains(self) -> int:
        """How many grains there are from the first place for a tick to the last one."""
        return (self.cells * self.dots - 1 - self.home) // self.grain


@functools.lru_cache(maxsize=256)
def linear(low: float, high: float, room: Room, *, ceiling: bool = False, whole: bool = False) -> Axis:
    """A linear axis on which `low` to `high` are seen. Ticks of equal steps are at equal distances.

    Where `low` is a tick, it is on the first place for one. With `ceiling` so is `high` on the last, where a round
    step leads to it, and no tick lies above it. With `whole`, ticks are whole numbers where there is more than one in
    the range.
    """
    whole = whole and high - low >= 1
    found = _best(low, high, room, ceiling, whole) or (_best(low, high, room, False, whole) if ceiling else None)
    if found is not None:
        return found
    # No two ticks fit: the ends are where they are, and there is one tick or none.
    count = room.cells * room.dots
    if count < 2:
        return Axis(low, high, 2)
    ticks = [tick for tick in axes.ticks(low, high, 1, whole=whole) if low <= tick <= high][:1]
    return Axis(low, high, count, tuple(ticks), tuple(axes.labels(ticks, room.label)))


def _best(low: float, high: float, room: Room, ceiling: bool, whole: bool) -> Axis | None:
    choices = [
        (cost, step, pieces, first)
        for step in _steps(high - low, whole)
        if (choice := _placed(low, high, step, room, ceiling)) is not None
        for cost, pieces, first in [choice]
    ]
    second: Axis | None = None  # its labels are rounded
    for _, step, pieces, first in sorted(choices):
        size = step / pieces  # of a grain
        dot = size / room.grain
        start = first * size - room.home * dot
        end = start + (room.cells * room.dots - 1) * dot
        highest = high if ceiling or room.along else end
        numbers = range(-(-first // pieces), math.floor(highest / step + _SLACK) + 1)
        ticks = [_multiple(number, step) for number in numbers]
        labels = axes.labels(ticks, room.label)
        apart = pieces * room.grain // room.dots
        if len(ticks) > 1 and (not room.along or max(map(len, labels)) + 2 <= apart):
            axis = Axis(
                start, end, room.cells * room.dots, tuple(ticks), tuple(labels), False, high if ceiling else None
            )
            if all(label and abs(float(label) - tick) < 1e-3 * step for tick, label in zip(ticks, labels, strict=True)):
                return axis
            second = second or axis
    return second


def _placed(low: float, high: float, step: float, room: Room, ceiling: bool) -> tuple[float, int, int] | None:
    """What it costs to have a tick at each `step`, how many grains a step has, and the number of the first grain."""
    last = room.cells * room.dots - 1
    pieces = min(math.floor(room.grains * step / (high - low) + 1) + 1, room.grains)
    while pieces >= 1:
        size = step / pieces
        first = math.floor(low / size + _SLACK)
        if ceiling and low != 0:
            first = min(first, round(high / size) - room.grains)
        if room.home + (high / size - first) * room.grain <= last + _SLACK:
            break
        pieces -= 1
    apart = pieces * room.grain / room.dots
    if pieces < 1 or apart < 1 or (ceiling and abs(high / step - round(high / step)) > _SLACK):
        return None
    ticks = math.floor(high / step + _SLACK) - math.ceil(low / step - _SLACK) + 1
    waste = 1 - (high - low) / size / room.grains
    fewer = 0.0 if room.along else max(0.0, 1 - ticks / (2 + room.cells // _WANTED_EVERY))
    crowded = (_CROWDED if room.along or room.cells <= _LOW else _CROWDED_ROWS) * (apart < room.gap)
    return waste + _FEW_TICKS.get(ticks, 0.0) + _FEWER_THAN_WANTED * fewer + crowded, pieces, first


def _steps(span: float, whole: bool) -> Iterator[float]:
    largest = math.floor(math.log10(span))
    for exponent in range(largest, largest - 3, -1):
        for digits in ("5", "2.5", "2", "1"):
            step = float(f"{digits}e{exponent}")
            if not whole or step == round(step):
                yield step


def _multiple(number: int, step: float) -> float:
    return float(f"{number * step:.12g}")


@functools.lru_cache(maxsize=64)
def logarithmic(low: float, high: float, room: Room) -> Axis:
    """A logarithmic axis on which the positive `low` to `high` are seen; powers of ten are at equal distances."""
    bottom, top = math.log10(low), math.log10(high)
    axis = _best(bottom, top, room, False, True) if top - bottom >= 2 else None
    if axis is not None:
        powers = [float(f"1e{round(tick)}") for tick in axis.ticks]
        return axis._replace(labels=tuple(axes.labels(powers, room.label, log=True)), log=True)
    count = room.cells * room.dots
    most = max(1, room.cells // max(1, room.gap + (room.label if room.along else 0)))
    chosen: list[float] = []
    for limit in range(most, max(most + 1, room.cells if not room.along else 0)):
        chosen = axes.ticks(low, high, limit, log=True)
        if len(chosen) > 1:
            break
    if count < 2:
        return Axis(bottom, top, 2, log=True)
    labels = tuple(axes.labels(chosen, room.label, log=True))
    ticks = tuple(map(math.log10, chosen))
    start, dot = _with_ends_on_dots(bottom, top, ticks, count - 1)
    return Axis(start, start + (count - 1) * dot, count, ticks, labels, log=True)


def _with_ends_on_dots(bottom: float, top: float, ticks: tuple[float, ...], last: int) -> tuple[float, float]:
    """The value on the first dot and the size of a dot, such that the first and the last tick lie on dots exactly."""
    span = ticks[-1] - ticks[0] if ticks else 0.0
    for dots in range(math.floor(span / (top - bottom) * last + _SLACK), 0, -1):
        size = span / dots
        start = ticks[0] - math.ceil((ticks[0] - bottom) / size - _SLACK) * size
        if (top - start) / size <= last + _SLACK:
            return start, size
    return bottom, (top - bottom) / last


def y_room(cells: int, ascii: bool, label: int) -> Room:
    """The room of a y axis: each label beside its tick."""
    dots = 1 if ascii else 4
    return Room(cells, dots, dots, 2, label)


def x_room(cells: int, ascii: bool, label: int) -> Room:
    """The room of an x axis: labels one beside the other."""
    return Room(cells, 1 if ascii else 2, 1, 4, label, along=True)

"""What a map is of: a run, two axes that vary it, and what is known of each cell, by quantity.

spec = MapSpec(config, x, y, seeds=1)
runs_of(spec)               # the runs of each cell, one for each seed
effort_of(spec).in_words    # how much there is to train, and how long that takes, about
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.axes import Axis, cell_config
from d2ltui.spec.catalogue import Task
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.repeats import with_seeds

Cell: TypeAlias = tuple[int, int]  # column, row
Figures: TypeAlias = dict[str, Any]  # of a cell, by quantity; None where there is no number

QUANTITIES = ("val_accuracy", "val_r2", "val_loss", "train_loss", "dead", "saturated", "gradient-ratio", "finding")
UNIT = ("val_accuracy", "dead", "saturated")  # shares, up to 1
LOWER_IS_BETTER = ("val_loss", "train_loss")
LOGARITHMIC = (*LOWER_IS_BETTER, "gradient-ratio")
# Of a cell, beside its quantities: its finding in words, and its curves, lists of numbers by name, "epoch" among them.
# And histograms of its activations' outputs at the end: of each a title, both ends, and the counts of equal bins.
SAID, CURVES, HISTOGRAMS = "said", "curves", "histograms"
ODD, FEW = 50, 20  # one value in ODD is odd, at each end, where there are FEW or more
MANY, LONG = 4096, 600.0  # networks, and seconds, from which on it is asked first
STEP_SECONDS, FLOPS = 9e-6, 3e10  # what a step of a network takes in a population on one core, about


class MapSpec(msgspec.Struct, frozen=True):
    """What a map is of: `config` is the run that the axes vary, `given` the fields that somebody chose for it."""

    config: RunConfig
    x: Axis
    y: Axis
    seeds: int
    given: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Cells from left to right."""
        return len(self.x.values)

    @property
    def rows(self) -> int:
        """Cells from bottom to top."""
        return len(self.y.values)

    @property
    def total(self) -> int:
        """Cells."""
        return self.columns * self.rows

    def run_of(self, cell: Cell) -> RunConfig:
        """The run in a cell; of several seeds the first one's."""
        return cell_config(self.config, self.x, self.y, *cell, dict.fromkeys(self.given))


def runs_of(spec: MapSpec) -> dict[Cell, list[RunConfig]]:
    """The runs of each cell, row by row.

    Raises:
        ConfigError: where there are no such runs.
    """
    places = ((column, row) for row, column in itertools.product(range(spec.rows), range(spec.columns)))
    return {cell: with_seeds(spec.run_of(cell), spec.seeds) for cell in places}


def called(quantity: str) -> str:
    """What a quantity is called where somebody reads it; in `--show`, JSON and CSV it has its own name."""
    return pgettext("quantity", quantity)


def quantities_of(task: Task) -> tuple[str, ...]:
    """What there is to be seen of a map; first what is shown where nobody chooses."""
    if task == "regression":
        return ("val_loss", "val_r2", *QUANTITIES[3:])
    return tuple(name for name in QUANTITIES if name != "val_r2")


class Effort(NamedTuple):
    """What it takes to train a map."""

    networks: int
    steps: int  # of each
    seconds: float  # on one core, about

    @property
    def is_large(self) -> bool:
        """Whether somebody should be asked first."""
        return self.networks > MANY or self.seconds > LONG

    @property
    def in_words(self) -> str:
        """`1,024 networks of 4,300 steps take about 3 minutes on one core`."""
        return _("{networks:,} networks of {steps:,} steps take about {seconds} on one core").format(
            networks=self.networks, steps=self.steps, seconds=_duration(self.seconds)
        )


def effort_of(spec: MapSpec) -> Effort:
    """What `spec` takes."""
    config = spec.config
    networks = spec.total * spec.seeds
    parameters = sum(layer.parameters for layer in catalogue.layer_plan(config))
    seconds = networks * config.total_steps * (STEP_SECONDS + 6 * config.batch_size * parameters / FLOPS)
    return Effort(networks, config.total_steps, seconds)


def _duration(seconds: float) -> str:
    for said, size in ((_("{number:,} days"), 86400), (_("{number:,} hours"), 3600), (_("{number:,} minutes"), 60)):
        if seconds >= 2 * size:
            return said.format(number=round(seconds / size))
    return _("{seconds} seconds").format(seconds=round(seconds))


def value_of(figures: Figures, quantity: str) -> float:
    """What is shown of a cell, as a number; one that has diverged is as bad as can be."""
    found = figures.get(quantity)
    if isinstance(found, (int, float)):
        return math.log10(max(found, 1e-300)) if quantity in LOGARITHMIC else float(found)
    return 0.0 if quantity in UNIT else 3.0 if figures["status"] == "diverged" else 0.0


def best(done: Mapping[Cell, Figures], quantity: str) -> tuple[Cell, float] | None:
    """The best cell and its value; of equal ones that with the lower validation loss. None of what has no best."""
    if quantity not in ("val_accuracy", "val_r2", *LOWER_IS_BETTER):
        return None
    numbers = {cell: figures[quantity] for cell, figures in done.items() if figures[quantity] is not None}
    if not numbers:
        return None
    sign = -1 if quantity in LOWER_IS_BETTER else 1
    cell = max(numbers, key=lambda one: (sign * numbers[one], -_or_infinite(done[one]["val_loss"]), one))
    return cell, numbers[cell]


class Middle(NamedTuple):
    """Where nearly all values of a quantity lie, and whether there are some `below` and `above`."""

    low: float
    high: float
    below: bool
    above: bool


class Known:
    """The cells that are known, and what is needed to draw some of them: one thread adds, others look.

    `low` and `high` are each quantity's extremes, of those that are drawn on a logarithmic scale the positive ones'.
    """

    def __init__(self, cells: Mapping[Cell, Figures] | None = None) -> None:
        self.cells: dict[Cell, Figures] = {}
        self.low: dict[str, float] = {}
        self.high: dict[str, float] = {}
        self._ranked: dict[str, list[float]] = {}  # the values of each quantity that has no bounds, the lowest first
        self.findings: Counter[str] = Counter()  # in how many cells each is
        self.diverged = 0  # cells
        self.without: Counter[str] = Counter()  # the others that have no value of a quantity
        self.add(cells or {})

    def add(self, cells: Mapping[Cell, Figures]) -> None:
        """More of them; none that is known already."""
        new: dict[str, list[float]] = {}
        for figures in cells.values():
            self.diverged += figures["status"] == "diverged"
            for name in QUANTITIES[:-1]:
                value = figures.get(name)
                self.without[name] += value is None and figures["status"] != "diverged"
                if value is not None and (value > 0 or name not in LOGARITHMIC):
                    new.setdefault(name, []).append(value)
        for name, values in new.items():
            self.low[name] = min(self.low.get(name, math.inf), *values)
            self.high[name] = max(self.high.get(name, -math.inf), *values)
            if name not in UNIT:
                self._ranked[name] = sorted([*self._ranked.get(name, ()), *values])
        # Another object, so that whoever goes through the present one is not disturbed.
        self.findings = self.findings + Counter(
            figures["finding"] for figures in cells.values() if figures["finding"] is not None
        )
        self.cells.update(cells)

    def middle(self, quantity: str) -> Middle:
        """Without the lowest and the highest values, one in ODD each, of a quantity that has any; a share's are all.

        Of a few there are no odd ones; where nearly all are the same, the others are no odd ones either.
        """
        low, high, ranked = self.low[quantity], self.high[quantity], self._ranked.get(quantity, [])
        odd = max(1, len(ranked) // ODD) if len(ranked) >= FEW else 0
        if odd and ranked[odd] < ranked[-1 - odd]:
            return Middle(ranked[odd], ranked[-1 - odd], low < ranked[odd], high > ranked[-1 - odd])
        return Middle(low, high, False, False)

    def at(self, column: int, row: int) -> Figures | None:
        """What is known of a cell; before it is trained, the next coarser one stands for it."""
        for stride in (1, 2, 4):
            found = self.cells.get((column - column % stride, row - row % stride))
            if found is not None:
                return found
        return None


def _or_infinite(loss: float | None) -> float:
    return math.inf if loss is None else loss

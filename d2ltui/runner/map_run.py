"""A map that is being trained: what is known of its cells, where it is stored, and what it shows decides what is next.

The command trains one in its own thread, the application in one beside the interface.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, candidates, select
from d2ltui.engine.map import MapTraining
from d2ltui.engine.threads import CoreMeter, ThreadCount
from d2ltui.runner.map_spread import over
from d2ltui.runner.spread import Spread
from d2ltui.spec.axes import check_cells
from d2ltui.spec.config import RunConfig
from d2ltui.spec.jobs import Jobs
from d2ltui.spec.maps import Cell, Figures, Known, MapSpec, runs_of, value_of
from d2ltui.spec.memory import check_memory
from d2ltui.spec.parsing import ConfigError, Problem

MOST_RANKED = 2**20  # pairs of cells that are compared to find out which ones are next
SIGN_EVERY = 2.0  # seconds between two signs of life of a map that is stored
NEAR = 2  # cells: how far away those are that say how much changes around a cell


class MapRun:
    """Trains what is left of a map.

    Args:
        spec: what it is of.
        known: its cells that are known; those that are trained are added.
        quantity: what is shown: cells between which that changes most are trained first.
        keep: stores cells that are done, or, of none, a sign of life; None where nothing is stored.
        control: stops it, holds it, or has it rest.
        jobs: in how many processes it is trained; `say` is told, in a sentence, of those that have died.
    """

    def __init__(
        self,
        spec: MapSpec,
        known: Known,
        quantity: str,
        keep: Callable[[Mapping[Cell, Figures]], None] | None,
        control: Control,
        jobs: Jobs = Jobs(),  # noqa: B008 (a value)
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.spec, self.known, self.quantity, self.control = spec, known, quantity, control
        self._keep, self._jobs, self._say = keep, jobs, say

    def train(
        self,
        cells: Mapping[Cell, Sequence[RunConfig]],
        progress: Callable[[MapTraining], None] = lambda training: None,
    ) -> tuple[MapTraining, bool]:
        """Train `cells`, which are those that are not known; the training, and False where it was stopped.

        `progress` is called in this thread, a few times a second. Errors pass.
        """

        def done(ready: Mapping[Cell, Figures]) -> None:
            self.known.add(ready)
            if self._keep is not None:
                self._keep(ready)

        signed = time.monotonic()

        def tell(training: MapTraining) -> None:
            nonlocal signed
            if self._keep is not None and time.monotonic() - signed >= SIGN_EVERY:
                signed = time.monotonic()
                self._keep({})
            progress(training)

        workers = _workers(self.spec.config)
        if self._jobs.alone or not cells:
            training = MapTraining(cells, self.control, workers)
            return training, training.train(done, lambda: tell(training), self.rank) if cells else True
        numbered = ":" in self.spec.config.device
        with Spread(self._jobs, self.control, self._say, numbered=numbered) as spread:
            # The slices are those of one process with as many threads, and so are the results.
            threads = max(1, workers // spread.number)
            training = MapTraining(cells, self.control, threads * spread.number)
            elsewhere = partial(over, spread, training, cells, threads)
            return training, training.train(done, lambda: tell(training), self.rank, elsewhere)

    def rank(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """First those between whose neighbours most changes."""
        values = {cell: value_of(figures, self.quantity) for cell, figures in self.known.cells.items()}

        def contrast(cell: Cell) -> float:
            near = [
                value
                for (column, row), value in values.items()
                if abs(column - cell[0]) <= NEAR and abs(row - cell[1]) <= NEAR
            ]
            return max(near) - min(near) if near else 0.0

        if not values or len(cells) * len(values) > MOST_RANKED:
            return cells
        return sorted(cells, key=contrast, reverse=True)


def cells_of(spec: MapSpec) -> dict[Cell, list[RunConfig]]:
    """The runs of each cell, all of which can be trained here.

    Raises:
        ConfigError: where one cannot.
    """
    cells = runs_of(spec)
    check_cells({cell: runs[0] for cell, runs in cells.items()})
    check_memory(spec.config)
    try:
        candidates(spec.config)
    except DeviceError as error:
        raise ConfigError([Problem("", str(error))]) from None
    return cells


def _workers(config: RunConfig) -> int:
    """Threads that train slices side by side, each with one thread of PyTorch's: so no two wait for each other."""
    count = ThreadCount(config.threads, math.inf, "cpu", CoreMeter(), apply=lambda number: None)
    count.choose()
    return count.number if select(config.device).type == "cpu" else 1

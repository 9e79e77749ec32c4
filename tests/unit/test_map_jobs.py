"""A map that several processes train is the map that one trains."""

from __future__ import annotations

from typing import Any

from d2ltui.engine.control import Control
from d2ltui.engine.map import MapTraining
from d2ltui.runner.map_run import MapRun, cells_of
from d2ltui.spec.axes import parse_axis
from d2ltui.spec.config import resolve
from d2ltui.spec.jobs import Jobs
from d2ltui.spec.maps import Cell, Figures, Known, MapSpec
from tests.processes.loky import workers

GIVEN: dict[str, object] = {"dataset": "circles", "hidden": "8", "epochs": 4, "device": "cpu", "threads": 2}


def test_cells_are_the_same_bit_for_bit() -> None:
    x, y = parse_axis("x", "lr=0.01:1e30:6"), parse_axis("y", "init_std=0.1:1:6")
    spec = MapSpec(resolve({**GIVEN, "init": "normal"}), x, y, 1)
    cells = cells_of(spec)
    told: list[str] = []
    times: dict[Cell, int] = {}

    def keep(ready: Any) -> None:
        for cell in ready:
            times[cell] = times.get(cell, 0) + 1

    run = MapRun(spec, Known(), "val_accuracy", keep, Control(), Jobs(2), told.append)
    training, finished = run.train(cells)
    alone: dict[Cell, Figures] = {}
    single = MapTraining(cells, Control(), 2)
    single.train(alone.update)
    assert finished
    assert not told
    assert set(times.values()) == {1}
    assert run.known.cells == alone
    assert training.steps == single.steps
    assert any(figures["status"] == "diverged" for figures in alone.values())
    assert not workers()

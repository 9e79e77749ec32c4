"""What goes wrong in the middle of a map."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch

from d2ltui.engine import map as map_module
from d2ltui.engine.control import Control
from d2ltui.engine.map import Cell, Figures, MapTraining
from d2ltui.spec.config import RunConfig, resolve

CIRCLES = {"model": "mlp", "dataset": "circles", "hidden": "8", "epochs": 2, "device": "cpu"}


def row(columns: int, **given: object) -> dict[Cell, list[RunConfig]]:
    base = resolve({**CIRCLES, **given})
    return {(i, 0): [msgspec.structs.replace(base, lr=0.01 * (i + 1))] for i in range(columns)}


def test_memory_that_runs_out_in_training_is_free_before_the_halves_are_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive: weakref.WeakSet[map_module.Population] = weakref.WeakSet()
    beside: list[tuple[int, int]] = []  # the members of each population, and of those that there still were

    class Small(map_module.Population):
        def __init__(self, configs: Any, *rest: Any, **more: Any) -> None:
            beside.append((len(configs), len(alive)))
            super().__init__(configs, *rest, **more)
            self.members_given = len(configs)
            alive.add(self)

        def train(self, watcher: Any) -> None:
            if self.members_given > 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            super().train(watcher)

    monkeypatch.setattr(map_module, "Population", Small)
    monkeypatch.setattr(map_module, "STRIDES", (1,))
    done: dict[Cell, Figures] = {}
    assert MapTraining(row(4), Control(), 1).train(done.update)
    assert len(done) == 4
    assert beside == [(4, 0), (2, 0), (1, 0), (1, 0), (2, 0), (1, 0), (1, 0)]


def test_a_slice_that_fails_ends_those_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU that has failed once answers everything with that error."""
    begun = threading.Event()
    train_slice = MapTraining._train_slice

    def fails_once(self: MapTraining, cells: list[Cell]) -> Any:
        if (0, 0) in cells:
            assert begun.wait(30)
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        begun.set()
        return train_slice(self, cells)

    monkeypatch.setattr(MapTraining, "_train_slice", fails_once)
    monkeypatch.setattr(map_module, "STRIDES", (1,))
    monkeypatch.setattr(map_module, "LEAST", 1)
    control = Control()
    training = MapTraining(row(2, epochs=100_000), control, 2)
    with pytest.raises(RuntimeError, match="CUDA error"):
        training.train(lambda ready: None)
    assert control.stopping
    assert training.steps < 100_000, "the other one was not trained to its end"


def test_threads_that_begin_after_a_map_have_as_many_as_before() -> None:
    before = torch.get_num_threads()
    found: list[int] = []

    def in_a_thread(work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    try:
        torch.set_num_threads(3)
        in_a_thread(lambda: MapTraining(row(2), Control(), 2).train(lambda ready: None))
        in_a_thread(lambda: found.append(torch.get_num_threads()))
    finally:
        torch.set_num_threads(before)
    assert found == [3]

"""A device that fails, or has no more memory, in the middle of a map or of seeds: epochs later than at the start."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import msgspec
import pytest
from runs import run

from d2ltui.engine import map as map_module
from d2ltui.engine.control import Control
from d2ltui.engine.map import Cell, Figures, MapTraining
from d2ltui.engine.population import Population
from d2ltui.runner.together import slices
from d2ltui.spec.axes import base_config, parse_axis
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.events import EpochEnded
from d2ltui.spec.maps import MapSpec
from d2ltui.store import home, maps
from d2ltui.store.reader import RunReader
from d2ltui.tui.services.map_runner import GrowingMap
from tests.failing_device import FAILED, Device, cuda_error, memory_runs_out, out_of_memory

CIRCLES: dict[str, object] = {
    "dataset": "circles", "hidden": "4", "batch_size": 400, "epochs": 3, "device": "cpu", "threads": 1,
}  # fmt: skip
OPTIONS = tuple(part for name, value in CIRCLES.items() for part in (f"--{name.replace('_', '-')}", str(value)))
AXES = ("--x", "lr=0.01:1:3", "--y", "init_std=0.1:1:2")


def test_a_map_whose_device_fails_keeps_what_is_done_and_is_resumed(  # type: ignore[no-untyped-def]
    command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first level, a corner, is done; the device fails in the second epoch of the next one."""
    with monkeypatch.context() as broken:
        Device(broken, at=2)
        status, out, err = command("map", *AXES, *OPTIONS, "--json")
    assert status == 1
    told = json.loads(out.splitlines()[-1])
    assert (told["status"], told["map"]) == ("failed", "map-1")
    assert told["message"].endswith(FAILED)
    assert 0 < len(told["cells"]) < 6 == told["networks"]
    assert "Traceback" not in err
    assert sum(FAILED in line for line in err.splitlines()) == 1
    assert "kernel errors might" not in err
    assert "stored as map-1: d2ltui map --resume map-1 continues it" in err
    _, kept = maps.read(maps.find("map-1"))
    assert 0 < len(kept) < 6
    status, out, _ = command("map", "--resume", "map-1", "--json")
    assert status == 0
    found = json.loads(out.splitlines()[-1])
    assert (found["status"], found["networks"], len(found["cells"])) == ("finished", 6 - len(kept), 6)
    _, all_of_them = maps.read(maps.find("map-1"))
    assert {cell: all_of_them[cell] for cell in kept} == kept


def test_a_slice_that_is_done_is_kept_though_another_one_fails_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells: dict[Cell, list[RunConfig]] = {(i, 0): [resolve({**CIRCLES, "hidden": str(i + 2)})] for i in (0, 4)}
    train_slice = MapTraining._train_slice

    def fails(self: MapTraining, slice: list[Cell]) -> Any:
        if (0, 0) in slice:
            raise cuda_error()
        return train_slice(self, slice)

    wait = map_module.wait
    monkeypatch.setattr(MapTraining, "_train_slice", fails)
    monkeypatch.setattr(map_module, "wait", lambda running, *how: wait(running))
    for order in (list(cells), list(reversed(cells))):
        done: dict[Cell, Figures] = {}
        training = MapTraining({cell: cells[cell] for cell in order}, Control(), 2)
        with pytest.raises(RuntimeError, match="CUDA error"):
            training.train(done.update)
        assert list(done) == [(4, 0)]


def test_the_map_of_the_screen_says_it_and_is_resumed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    x, y = parse_axis("x", AXES[1]), parse_axis("y", AXES[3])
    growing = GrowingMap(MapSpec(base_config(CIRCLES, x, y), x, y, 1), "val_loss", stores=True)
    with monkeypatch.context() as broken:
        Device(broken, at=2)
        growing.carry_out()
    assert growing.problem.endswith(FAILED)
    assert "\n" not in growing.problem
    assert (growing.doing, growing.complete) == ("", False)
    kept = dict(growing.known.cells)
    assert kept
    assert maps.read(maps.find(growing.name))[1].keys() == kept.keys()
    growing.control = Control()
    growing.carry_out()
    assert (growing.problem, growing.complete) == ("", True)
    assert {cell: growing.known.cells[cell] for cell in kept} == kept
    assert len(maps.read(maps.find(growing.name))[1]) == 6


def test_memory_that_runs_out_after_an_epoch_halves_the_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the networks come to is what they would have come to."""
    base = resolve({**CIRCLES, "hidden": "4"})
    cells = {(4 * i, 0): [msgspec.structs.replace(base, lr=0.1 * (i + 1))] for i in range(4)}
    expected: dict[Cell, Figures] = {}
    assert MapTraining(cells, Control(), 1).train(expected.update)
    evaluate = Population.evaluate
    sizes: list[int] = []

    def full(population: Population) -> Any:
        sizes.append(len(population.members))
        if len(population.members) > 1 and population.step > 1:
            raise out_of_memory()
        return evaluate(population)

    monkeypatch.setattr(Population, "evaluate", full)
    done: dict[Cell, Figures] = {}
    training = MapTraining(cells, Control(), 1)
    assert training.train(done.update)
    assert training.steps == 4 * base.total_steps  # what was trained in vain is not among them
    assert max(sizes) == 4
    assert done.keys() == expected.keys()
    for cell, figures in done.items():
        assert figures["val_loss"] == pytest.approx(expected[cell]["val_loss"], rel=1e-4)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Memory that does not suffice for more than two networks after the first epoch; how many were tried, in order."""
    evaluate, sizes = Population.evaluate, []
    before: list[weakref.ref[Population]] = []

    def evaluating(population: Population) -> Any:
        if not before or before[-1]() is not population:
            assert not any(one() is not None for one in before), "a population that did not fit is still there"
            before.append(weakref.ref(population))
            sizes.append(len(population.configs))
        if len(population.configs) > 2 and population.step > 1:
            raise out_of_memory()
        return evaluate(population)

    monkeypatch.setattr(Population, "evaluate", evaluating)
    return sizes


def test_memory_that_runs_out_while_seeds_train_halves_them(  # type: ignore[no-untyped-def]
    command, full: list[int]
) -> None:
    """Each comes to what it comes to alone; what was told before is told once."""
    alone = [run(resolve({**CIRCLES, "seed": seed}))[1] for seed in range(5)]
    status, out, err = command("train", "--seeds", "5", "--json", *OPTIONS)
    assert (status, "Traceback" in err) == (0, False)
    assert full == [5, 2, 3, 1, 2]
    assert "5 networks at once" in err
    runs = json.loads(out.splitlines()[-1])["runs"]
    assert [one["status"] for one in runs] == ["finished"] * 5
    for tape, one in zip(alone, runs, strict=True):
        with RunReader(home.path_of(one["run"])) as reader:
            live = reader.live
            assert live.losses.values() == pytest.approx(tape.losses, rel=1e-4)
            assert [epoch.val_loss for epoch in live.epochs] == pytest.approx(
                [epoch.val_loss for epoch in tape.of(EpochEnded)], rel=1e-4
            )
            assert any("5 networks at once" in note.sentence for note in live.notes)
            assert len({probed.step for probed in live.probes}) == len(live.probes)


def test_halves_that_do_not_even_fit_at_first_are_halved_again(  # type: ignore[no-untyped-def]
    command, monkeypatch: pytest.MonkeyPatch, full: list[int]
) -> None:
    """Another program has taken the memory meanwhile."""
    init, built = Population.__init__, []

    def building(population: Population, configs: Any, *args: Any, **how: Any) -> None:
        if built and len(configs) > 1:
            raise out_of_memory()
        built.append(len(configs))
        init(population, configs, *args, **how)

    monkeypatch.setattr(Population, "__init__", building)
    status, out, err = command("train", "--seeds", "3", "--json", *OPTIONS)
    assert (status, "Traceback" in err) == (0, False)
    assert built == full == [3, 1, 1, 1]
    assert [one["status"] for one in json.loads(out.splitlines()[-1])["runs"]] == ["finished"] * 3


def test_a_single_run_that_does_not_fit_fails_and_the_others_finish(  # type: ignore[no-untyped-def]
    command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they are together with."""
    memory_runs_out(monkeypatch, lambda population: 1 in [config.seed for config in population.configs])
    status, out, err = command("train", "--seeds", "4", "--json", *OPTIONS)
    assert (status, "Traceback" in err) == (1, False)
    statuses = [one["status"] for one in json.loads(out.splitlines()[-1])["runs"]]
    assert statuses == ["finished", "failed", "finished", "finished"]


def test_the_seeds_of_one_cell_are_halved_too(full: list[int]) -> None:
    base = resolve(CIRCLES)
    done: dict[Cell, Figures] = {}
    cells: dict[Cell, list[RunConfig]] = {(0, 0): [msgspec.structs.replace(base, seed=seed) for seed in range(4)]}
    assert MapTraining(cells, Control(), 1).train(done.update)
    assert full == [4, 2, 2]
    assert done[0, 0]["status"] == "finished"


def test_seeds_whose_device_fails_are_failed_runs_with_their_curves(  # type: ignore[no-untyped-def]
    command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(list(slices([resolve({**CIRCLES, "seed": seed}) for seed in range(2)]))) == 1
    with monkeypatch.context() as broken:
        Device(broken, at=1)
        status, out, err = command("train", "--seeds", "2", "--json", *OPTIONS)
    assert status == 1
    assert "Traceback" not in err
    assert FAILED in err
    assert {one["status"] for one in json.loads(out.splitlines()[-1])["runs"]} == {"failed"}
    for name in ("mlp-circles-1", "mlp-circles-2"):
        with RunReader(home.path_of(name)) as reader:
            assert reader.live.status == "failed"
            assert len(reader.live.epochs) == 1
            assert len(reader.live.losses) == reader.live.step > 0


def test_a_sweep_whose_device_fails_says_so_and_has_no_best_run(  # type: ignore[no-untyped-def]
    command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        Device(broken, at=1)
        status, out, err = command("sweep", "--lr", "0.1,0.5", "--json", *OPTIONS)
    assert status == 1
    assert "Traceback" not in err
    assert FAILED in err
    assert "best" not in err
    told = json.loads(out.splitlines()[-1])
    assert {one["status"] for one in told["runs"]} == {"failed"}
    assert told["best"] is None

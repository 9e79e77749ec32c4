"""Populations whose steps are taken as graphs are those whose steps are not: with a stand-in for a GPU's graphs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from graph_stand_in import StandIn
from populations import CIRCLES, Tape
from torch.overrides import TorchFunctionMode

from d2ltui.data import load
from d2ltui.engine import launches
from d2ltui.engine import map as map_module
from d2ltui.engine.control import Control
from d2ltui.engine.graphs import NothingWaits
from d2ltui.engine.map import MapTraining
from d2ltui.engine.population import Block, Population
from d2ltui.engine.step import population_step
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.nn.batched_optim import STATES, BatchedOptimizer
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig, resolve

CPU = torch.device("cpu")
LINEAR = {"model": "linear", "dataset": "synthetic-linear"}
EXTRAS = {"weight_decay": 0.01, "clip_norm": 0.5, "schedule": "cosine"}


@pytest.fixture(autouse=True)
def _several_steps_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "LAUNCH", 10.0)


def trained(configs: Sequence[RunConfig], graphs: StandIn | None, tape: Tape | None = None) -> tuple[Population, Tape]:
    tape = tape if tape is not None else Tape()
    known = {config.seed: load(config) for config in configs}
    population = Population(configs, [known[config.seed] for config in configs], CPU, Control(), graphs=graphs)
    population.train(tape)
    return population, tape


def assert_same(configs: Sequence[RunConfig]) -> StandIn:
    """Whatever is told of them, and the weights they end with."""
    stand_in = StandIn()
    (one, told), (other, expected) = trained(configs, stand_in), trained(configs, None)
    assert not one.why_not
    assert stand_in.captures
    assert told.losses.keys() == expected.losses.keys()
    for member in told.losses:
        for name in ("losses", "metrics", "epochs"):  # nan, too, is nan
            np.testing.assert_array_equal(getattr(told, name)[member], getattr(expected, name)[member])
    torch.testing.assert_close(one.network.parameters, other.network.parameters, rtol=0, atol=0, equal_nan=True)
    return stand_in


def members(*differences: dict[str, object], **given: object) -> list[RunConfig]:
    return [resolve({**CIRCLES, "epochs": 4, "batch_size": 30, **given, **one}) for one in differences]


@pytest.mark.parametrize("optimizer", STATES)
@pytest.mark.parametrize("extras", [{}, EXTRAS], ids=["plain", "decay, clipping, schedule"])
def test_every_optimizer(optimizer: str, extras: dict[str, object]) -> None:
    stand_in = assert_same(members({}, {"lr": 0.02}, {"lr": 0.003}, optimizer=optimizer, **extras))
    assert stand_in.captures == 3  # one step, several, and the smaller last batch


@pytest.mark.parametrize("seeds", [(0, 0, 0), (1, 2, 3), (1, 2, 1, 1)], ids=["one's data", "each its own", "shared"])
@pytest.mark.parametrize("given", [{}, {"implementation": "scratch"}, LINEAR], ids=["concise", "scratch", "linear"])
def test_whoever_has_which_data(seeds: tuple[int, ...], given: dict[str, object]) -> None:
    configs = [resolve({"device": "cpu", "batch_size": 30, **given, "epochs": 3, "seed": seed}) for seed in seeds]
    if not given.get("model"):
        configs = members(*({"seed": seed} for seed in seeds), **given)
    assert_same(configs)


def test_members_that_leave_have_the_others_recorded_anew() -> None:
    configs = members({"lr": 0.1}, {"lr": 1e20}, {"lr": 0.2})
    stand_in = assert_same(configs)
    assert stand_in.captures == 6


def test_another_rate_of_one_member_is_read_by_the_graphs() -> None:
    class Impatient(Tape):
        def __init__(self) -> None:
            super().__init__()
            self.population: Population | None = None

        def epoch(self, *told: Any) -> None:
            super().epoch(*told)
            assert self.population is not None
            if told[1] == 2:
                self.population.set_lr(1, 0.5)

    found = []
    for graphs in (StandIn(), None):
        tape = Impatient()
        configs = members({"lr": 0.1}, {"lr": 0.1})
        population = Population(configs, [load(one) for one in configs], CPU, Control(), graphs=graphs)
        tape.population = population
        population.train(tape)
        found.append(tape.losses)
    assert found[0] == found[1]
    assert found[0][0][:54] == found[0][1][:54]
    assert found[0][0] != found[0][1]


def test_another_rate_in_the_middle_of_an_epoch_holds_from_the_next_step_on() -> None:
    """Rates that are all the same until then have room for another one: the graphs are those of the epoch."""

    class Changes(Tape):
        def between(self) -> None:
            assert population is not None
            if population.step == 7:
                population.set_lr(1, 0.5)

    found = []
    for graphs in (StandIn(), None):
        control, tape = Control(), Changes()
        configs = members({"lr": 0.1}, {"lr": 0.1}, epochs=2)
        population = Population(configs, [load(one) for one in configs], CPU, control, graphs=graphs)
        control.pause()  # between two steps somebody is asked each time
        population.train(tape)
        found.append(tape.losses)
    assert found[0] == found[1]
    assert found[0][0][:8] == found[0][1][:8]
    assert found[0][0][8] != found[0][1][8]


def test_graphs_and_data_are_let_go_with_the_population() -> None:
    """At once: what waits for the collector may wait for ever, and a GPU's memory with it."""
    gc.disable()
    try:
        population, _ = trained(members({}, {"lr": 0.02}, epochs=1), StandIn())
        recorded = weakref.ref(population._recorded)
        assert recorded() is not None
        del population
        assert recorded() is None
    finally:
        gc.enable()


def test_a_request_is_looked_at_between_two_launches() -> None:
    class Asks(Tape):
        asked: list[int] = []

        def steps(self, members: Sequence[int], block: Block) -> None:
            super().steps(members, block)

        def between(self) -> None:
            self.asked.append(population.step)

    control, tape = Control(), Asks()
    configs = members({}, {"lr": 0.02}, batch_size=10, epochs=1)
    population = Population(configs, [load(one) for one in configs], CPU, control, graphs=StandIn())
    control.pause()
    population.train(tape)
    assert np.diff(tape.asked).max() == 1  # step by step, while somebody asks for something


def test_dropout_is_trained_as_ever_and_the_map_says_why() -> None:
    cells = {(i, 0): [one] for i, one in enumerate(members({}, {"lr": 0.02}, dropout=0.2))}
    stand_in = StandIn()
    training = MapTraining(cells, Control(), 1, graphs=lambda device: stand_in)
    assert training.train(lambda ready: None)
    assert stand_in.captures == 0
    assert training.why_not == "each network's dropout is drawn on the processor"


def test_a_map_is_the_same() -> None:
    cells = {(i, 0): [one] for i, one in enumerate(members({}, {"lr": 0.02}, {"lr": 1e20}))}
    found = []
    for graphs in (StandIn(), None):
        known: dict[map_module.Cell, map_module.Figures] = {}
        training = MapTraining(cells, Control(), 1, graphs=lambda device, graphs=graphs: graphs)  # type: ignore[misc]
        assert training.train(known.update)
        assert not training.why_not
        found.append(known)
    assert found[0] == found[1]


def test_what_cannot_be_recorded_is_trained_as_ever() -> None:
    class Refuses(StandIn):
        def capture(self, work: Any) -> Any:
            raise RuntimeError("operation not permitted\nwhen stream is capturing")

    configs = members({}, {"lr": 0.02})
    (one, told), (__, expected) = trained(configs, Refuses()), trained(configs, None)
    assert one.why_not == "RuntimeError: operation not permitted"
    assert told.losses == expected.losses


class NothingNew(TorchFunctionMode):  # type: ignore[no-untyped-call]
    """Refuses tensors that are made of Python's numbers: a copy to the device of which no dispatcher hears."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func.__name__ not in ("new_tensor", "tensor", "as_tensor", "from_numpy")
        return func(*args, **(kwargs or {}))


FREE_OF_MOVES = [
    *((optimizer, given) for optimizer in STATES for given in ({}, {"label_smoothing": 0.1}, {"dataset": "function"})),
    ("sgd", {"implementation": "scratch"}),
]


@pytest.mark.parametrize(("optimizer", "given"), FREE_OF_MOVES)
def test_no_step_moves_anything_to_a_device_or_back(optimizer: str, given: dict[str, object]) -> None:
    """On a device that has no memory, where such a move is seen without a GPU."""
    configs = members({"lr": 0.1}, {"lr": 0.2}, optimizer=optimizer, **{**EXTRAS, **given})
    plan = catalogue.layer_plan(configs[0])
    meta = torch.device("meta")
    network = BatchedNetwork(configs, plan, device=meta)
    moves = BatchedOptimizer(configs, network)
    regression = configs[0].task == "regression"
    x = torch.empty((2, 30, plan[0].num_inputs), device=meta)
    y = torch.empty((2, 30, 1), device=meta) if regression else torch.empty((2, 30), device=meta, dtype=torch.int64)
    with torch.no_grad(), NothingWaits(), NothingNew():  # type: ignore[no-untyped-call]
        population_step(network, moves, x, y)

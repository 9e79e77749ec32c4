"""The default learning rates learn, with every optimiser, and cause no alarm.

A small share of `python -m tests.benchmarks.defaults`, which tries grids of rates on every data set.
"""

from __future__ import annotations

import pytest
import torch
from runs import run

from d2ltui.spec import catalogue, events
from d2ltui.spec.config import resolve
from d2ltui.spec.optimizers import OPTIMIZERS
from tests.benchmarks.defaults import MARGIN, Case, measure
from tests.benchmarks.grid import train
from tests.selection import long_after, long_unless

REGRESSIONS = [name for name in catalogue.datasets_for("linear") if name != "synthetic-linear"]
QUICK = [
    *(Case("linear", "synthetic-linear", name, "relu") for name in OPTIMIZERS),
    Case("mlp", "moons", "sgd", "relu"),
]
MORE = [
    *(Case("linear", dataset, name, "relu") for dataset in REGRESSIONS for name in OPTIMIZERS),
    Case("mlp", "moons", "adam", "relu"),
    Case("mlp", "moons", "momentum", "sigmoid"),
]


@pytest.mark.parametrize("case", [*QUICK, *long_after(0, MORE)], ids=lambda case: case.title)
def test_a_default_rate_is_near_the_best_and_alarms_nobody(case: Case) -> None:
    row = measure(case, decades=(-0.5, 0.0, 0.5), seeds=1)
    assert row.alarms == ()
    assert row.score >= max(row.tuned, row.best) - MARGIN, row.told


@pytest.mark.parametrize("optimizer", long_unless("adam".__eq__, [name for name in OPTIMIZERS if name != "sgd"]))
def test_no_optimiser_s_default_kills_the_relus_on_digits(optimizer: str) -> None:
    """A rate of 0.1 leaves 64 to 94 % of them dead with these."""
    config = resolve({"optimizer": optimizer, "device": "cpu", "epochs": 8})
    _, tape = run(config)
    found = [finding for event in tape.of(events.FindingsChanged) for finding in event.findings]
    assert {finding.rule for finding in found} <= {"not-zero-centred"}
    assert tape.of(events.EpochEnded)[-1].val_metric > 0.9
    dead = [layer.dead for event in tape.of(events.LayersProbed) for layer in event.layers if layer.dead is not None]
    assert max(dead) < 0.25


SMALL = {"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 5}


@pytest.mark.parametrize(
    "given",
    [
        {"model": "linear", "epochs": 2, "optimizer": "adam", "lr": 0.1},
        {"model": "softmax", "dataset": "moons", "epochs": 2, "lr": 0.1},
        {**SMALL, "dataset": "circles", "hidden": "8,4", "optimizer": "adagrad"},
        {**SMALL, "optimizer": "momentum"},
        *long_unless(
            lambda given: given["activation"] == "relu",
            [{**SMALL, "activation": name, "optimizer": "rmsprop"} for name in ("sigmoid", "tanh", "relu", "identity")],
        ),
    ],
    ids=str,
)
def test_runs_that_are_trained_together_end_as_the_engine_s(given: dict[str, object]) -> None:
    """What the grids are measured with is what `d2ltui train` does."""
    config = resolve({**given, "device": "cpu"})
    seeds, rates = (3, 4), (config.lr, config.lr / 3)
    together = train(config, seeds, rates)
    assert together.shape == (2, 2)
    for i, seed in enumerate(seeds):
        for j, lr in enumerate(rates):
            _, tape = run(resolve({**given, "device": "cpu", "seed": seed, "lr": lr}), sample_every=None)
            alone = tape.of(events.EpochEnded)[-1].val_metric
            assert together[i, j].item() == pytest.approx(alone, abs=0.011 if config.task == "classification" else 1e-3)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("optimizer", long_after(1, ["sgd", "momentum", "adagrad"]))
def test_no_default_rate_saturates_sigmoids_of_many_inputs(optimizer: str) -> None:
    config = resolve({"optimizer": optimizer, "activation": "sigmoid", "device": "cpu", "epochs": 5})
    _, tape = run(config)
    found = [finding for event in tape.of(events.FindingsChanged) for finding in event.findings]
    assert {finding.rule for finding in found} <= {"not-zero-centred"}
    saturated = [layer.saturated for event in tape.of(events.LayersProbed) for layer in event.layers if layer.saturated]
    assert max(saturated, default=0.0) < 0.1

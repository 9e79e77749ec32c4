"""A run whose loss is finite at its end and beyond all use has diverged; one that is merely bad has finished."""

from __future__ import annotations

import math

import pytest
import torch
from runs import during_step, run, short

from d2ltui.data import Dataset, load
from d2ltui.engine import summary
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.spec.events import exit_status
from d2ltui.spec.numbers import number

DIGITS = {"model": "softmax", "dataset": "digits", "device": "cpu", "epochs": 1}


class Shelf:
    """Keeps every checkpoint at once."""

    idle, took = True, 0.0

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)


def ended(train_loss: float, val_loss: float, val_metric: float = 0.1) -> events.EpochEnded:
    return events.EpochEnded(2, 20, train_loss, val_loss, 0.1, val_metric, 1.0)


@pytest.mark.parametrize(
    ("train_loss", "val_loss", "diverged"),
    [
        (9e13, 9e13, True),
        (231.0, 231.0, True),
        (229.0, 229.0, False),  # it has risen, and is bad; but that may pass
        (2.4, 2.3, False),
        (0.01, 500.0, False),  # learned by heart
        (1e6, 0.5, False),  # one bad batch in the epoch, and a recovery
        (math.nan, math.nan, False),  # told otherwise
    ],
)
def test_what_has_run_away(train_loss: float, val_loss: float, diverged: bool) -> None:
    assert summary.has_run_away(ended(train_loss, val_loss), 2.3, math.log(10), 10) is diverged


def test_neither_a_bad_start_nor_a_large_target_is_held_against_a_run() -> None:
    assert not summary.has_run_away(ended(9000.0, 9000.0), 100.0, 2.3, 10)
    assert not summary.has_run_away(ended(9000.0, 9000.0), 2.3, 100.0, 10)
    assert summary.has_run_away(ended(10001.0, 10001.0), 100.0, 100.0, 10)
    assert not summary.has_run_away(ended(9e13, 9e13), math.inf, 1.0, 10)  # where the start is not known


def test_who_knows_more_than_a_guess_has_not_run_away() -> None:
    """Its loss is a matter of how sure it is of the few samples that it is wrong about."""
    assert not summary.has_run_away(ended(9e13, 9e13, 0.88), 2.3, math.log(2), 2)
    assert summary.has_run_away(ended(9e13, 9e13, 0.54), 2.3, math.log(2), 2)
    assert summary.has_run_away(ended(9e13, 9e13, math.nan), 2.3, math.log(2), 2)
    assert summary.has_run_away(ended(9e13, 9e13, -1e10), 2.3, 1.0, 0)


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_a_guess_of_numbers_is_their_mean(implementation: str) -> None:
    config = resolve({"model": "linear", "implementation": implementation})
    y = load(config).y_train
    loss = ((y - y.mean()) ** 2).mean() * (0.5 if implementation == "scratch" else 1.0)
    variance = float(y.double().var(correction=0))
    assert summary.guess(config, variance, 1) == pytest.approx(loss.item(), rel=1e-4)
    assert summary.guess(resolve({}), 1.0, 10) == math.log(10)


@pytest.mark.parametrize(
    "given",
    [
        {"model": "linear", "dataset": "synthetic-linear", "lr": 1.0, "epochs": 3},
        {"model": "linear", "dataset": "synthetic-linear", "lr": 2.0, "epochs": 3, "implementation": "scratch"},
        {"model": "mlp", "dataset": "digits", "lr": 1e3, "optimizer": "adam", "epochs": 2},
    ],
    ids=["linear", "linear from scratch", "mlp"],
)
def test_a_run_that_ends_beyond_all_use_has_diverged(given: dict[str, object]) -> None:
    config = resolve({**given, "device": "cpu"})
    _, tape = run(config)
    last = tape.of(events.EpochEnded)[-1]
    assert (last.epoch, math.isfinite(last.train_loss)) == (config.epochs, True)  # everything up to there is kept
    assert len(tape.losses) == config.total_steps
    assert (tape.ended.status, exit_status(tape.ended.status)) == ("diverged", 1)
    assert tape.ended.summary["status"] == "diverged"
    assert tape.ended.summary["train_loss"] == last.train_loss
    assert f"the loss is {number(last.train_loss)} after step {config.total_steps:,}" in tape.ended.message
    assert f"a lower lr than {config.lr:g} may help" in tape.ended.message
    told = tape.of(events.FindingsChanged)[-1].findings
    assert "divergence" in {finding.rule for finding in told}


@pytest.mark.parametrize(
    "given",
    [
        {"model": "linear", "dataset": "synthetic-linear", "lr": 0.95, "epochs": 3},  # jumps over the valley, and stays
        {"model": "softmax", "dataset": "circles", "lr": 10.0, "batch_size": 1, "epochs": 1},  # noise
        {"model": "mlp", "dataset": "digits", "init": "normal", "init_std": 1, "lr": 0.01, "epochs": 1},  # bad start
        {"model": "mlp", "dataset": "moons", "lr": 10.0, "epochs": 3},
        {**DIGITS, "lr": 1e6},  # a perceptron: right, and far too sure of it
    ],
    ids=["rises a little", "noisy", "starts badly", "rate much too high", "huge losses, and right"],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_bad_or_noisy_has_finished(given: dict[str, object], seed: int) -> None:
    _, tape = run(resolve({**given, "seed": seed, "device": "cpu"}))
    assert tape.ended.status == "finished"


def test_a_run_that_goes_on_is_measured_by_its_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the loss, large already, of the first step after it went on."""
    config, control, shelf = short(lr=1.0, batch_size=32), Control(), Shelf()
    with monkeypatch.context() as patch:
        during_step(patch, {70: control.stop})
        _, before = run(config, control, keeper=shelf)
    assert before.ended.status == "stopped"  # who stops it decides how it ended, whatever the loss is
    seen = before.of(events.LayersProbed)
    trainer, tape = run(config, resume=lambda: shelf.kept[-1], probes=seen)
    assert tape.ended.status == "diverged"
    assert trainer.progress.first_loss == seen[0].loss == pytest.approx(33, rel=0.3)
    # Where the first look is not known, the first epoch that is known of has to do.
    assert run(config, resume=lambda: shelf.kept[-1])[1].ended.status == "diverged"


def test_a_regression_is_measured_by_the_mean_however_large_its_numbers() -> None:
    data = load(resolve({"model": "linear"}))
    shifted = Dataset(data.info, data.x_train, data.y_train + 1e4, data.x_val, data.y_val + 1e4)
    _, tape = run(short(lr=1e-5), dataset=shifted)
    assert tape.ended.status == "finished"
    assert tape.of(events.EpochEnded)[-1].train_loss > 1e7
    assert torch.isfinite(shifted.y_train).all()

"""Networks that are trained together: each is what it would be alone, whatever becomes of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from populations import CIRCLES, Tape
from runs import run

from d2ltui.data import Dataset, load
from d2ltui.data.batches import data_iter
from d2ltui.engine.control import Control
from d2ltui.engine.joining import bytes_of_member, may_join, members_at_once
from d2ltui.engine.population import EpochFigures, Population
from d2ltui.engine.schedule import Schedule
from d2ltui.engine.step import train_step
from d2ltui.nn import build, make_clip, make_optimizer, set_lr
from d2ltui.nn.activation_slopes import known_slopes
from d2ltui.nn.batched_optim import STATES
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.events import EpochEnded
from d2ltui.spec.optimizers import OPTIMIZERS
from tests.selection import long_after

STEPS = 100
LIMITS = {torch.float64: 1e-10, torch.float32: 1e-4}  # of the relative difference


def together(configs: Sequence[RunConfig], dtype: torch.dtype = torch.float32) -> tuple[Population, Tape]:
    """All of them, trained as one population."""
    tape = Tape()
    population = Population(configs, [load(config) for config in configs], torch.device("cpu"), Control(), dtype=dtype)
    population.train(tape)
    return population, tape


def alone(config: RunConfig, dtype: torch.dtype, steps: int = STEPS) -> list[float]:
    """The losses of a run's first steps, by the step that single runs take."""
    torch.manual_seed(derive_seed(config.seed, "dropout"))
    data, network = load(config), build(config, dtype=dtype)
    optimizer, clip, schedule = make_optimizer(config, network), make_clip(config, network), Schedule("constant", 1)
    if config.schedule != "constant":
        schedule = Schedule(config.schedule, config.epochs)
    order = torch.Generator().manual_seed(derive_seed(config.seed, "order"))
    x_train, y_train = (
        data.x_train.to(dtype),
        data.y_train if config.task == "classification" else data.y_train.to(dtype),
    )
    losses: list[float] = []
    for epoch in range(1, config.epochs + 1):
        set_lr(optimizer, config.lr * schedule.factor(epoch))
        for x, y in data_iter(x_train, y_train, config.batch_size, order):
            loss, _ = train_step(network, optimizer, clip, x, y)
            losses.append(loss.item())
            if len(losses) == steps:
                return losses
    return losses


def check_equal(configs: Sequence[RunConfig], dtype: torch.dtype) -> None:
    """Each member's first losses are those of its own run."""
    _, tape = together(configs, dtype)
    for member, config in enumerate(configs):
        expected = alone(config, dtype)
        np.testing.assert_allclose(
            tape.losses[member][: len(expected)], expected, rtol=LIMITS[dtype], err_msg=str(config)
        )
        assert expected[-1] < 0.99 * expected[0]  # it has moved


# The first says more: its limit is narrower by six powers of ten.
PRECISIONS = long_after(1, [pytest.param(dtype, id=str(dtype).removeprefix("torch.")) for dtype in LIMITS])


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("optimizer", STATES)
def test_a_member_is_its_own_run_with_every_optimizer(optimizer: str, dtype: torch.dtype) -> None:
    lr = OPTIMIZERS[optimizer].lr
    first = {**CIRCLES, "optimizer": optimizer, "clip_norm": 0.3, "label_smoothing": 0.05}
    other = {"init": "normal", "init_std": 0.5, "label_smoothing": 0.2}
    check_equal(
        [
            resolve({**first, "lr": lr, "seed": 3, "init": "xavier", "dropout": 0.1, "weight_decay": 0.01}),
            resolve({**first, **other, "lr": 3 * lr, "dropout": 0.3, "clip_norm": 100}),
        ],
        dtype,
    )


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("implementation", long_after(1, ["concise", "scratch"]))
def test_a_member_is_its_own_run_with_every_activation(implementation: str, dtype: torch.dtype) -> None:
    for activation in known_slopes():
        given = {**CIRCLES, "activation": activation, "implementation": implementation, "init": "kaiming", "epochs": 10}
        check_equal([resolve({**given, "lr": 0.1}), resolve({**given, "lr": 0.05, "seed": 1})], dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("implementation", ["concise", "scratch"])
@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "synthetic-linear", "batch_size": 64, "epochs": 7},
        {"dataset": "diabetes", "lr": 0.003, "epochs": 10, "weight_decay": 0.1, "clip_norm": 0.5},
        {"model": "softmax", "dataset": "digits", "epochs": 3, "weight_decay": 0.001, "label_smoothing": 0.1},
        {**CIRCLES, "dataset": "digits", "epochs": 20, "dropout": 0.2, "clip_norm": 0.4, "init": "xavier"},
    ],
    ids=["linear", "linear-penalty", "softmax", "mlp"],
)
def test_a_member_is_its_own_run_with_every_model(
    implementation: str, given: dict[str, object], dtype: torch.dtype
) -> None:
    given = {**given, "implementation": implementation, "device": "cpu"}
    check_equal([resolve({**given, "seed": seed}) for seed in (0, 5)], dtype)


def test_everything_there_is_has_been_compared() -> None:
    assert set(STATES) >= {"sgd", "momentum", "adagrad", "rmsprop", "adam"}
    assert {name for name in OPTIMIZERS if name in STATES} == set(STATES)
    assert {name for name, one in ACTIVATIONS.items() if one.module.startswith("torch.nn") or not one.module} == set(
        known_slopes()
    )


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "synthetic-linear", "epochs": 3},
        {**CIRCLES, "epochs": 5, "schedule": "warmup", "implementation": "scratch"},
        {**CIRCLES, "epochs": 5, "dropout": 0.2, "optimizer": "adam"},
    ],
    ids=["linear", "scratch", "dropout"],
)
def test_what_is_told_is_what_the_run_alone_tells(given: dict[str, object]) -> None:
    """Losses and metrics of each step, and of each epoch, both parts."""
    configs = [resolve({"device": "cpu", "threads": 1, **given, "seed": seed}) for seed in (1, 2)]
    _, tape = together(configs)
    for member, config in enumerate(configs):
        _, single = run(config)
        np.testing.assert_allclose(tape.losses[member], single.losses, rtol=1e-4)
        np.testing.assert_allclose(tape.metrics[member], single.metrics, rtol=1e-4, atol=1e-6)
        ended = single.of(EpochEnded)
        expected = [(one.train_loss, one.val_loss, one.train_metric, one.val_metric) for one in ended]
        np.testing.assert_allclose(tape.epochs[member], expected, rtol=1e-4, atol=1e-6)


def test_members_that_diverge_harm_nobody_and_are_left_out() -> None:
    given = {**CIRCLES, "epochs": 6, "optimizer": "momentum"}
    good = [resolve({**given, "lr": lr}) for lr in (0.01, 0.02)]
    bad = [resolve({**given, "lr": 1e30}), resolve({**given, "lr": 1e38, "seed": 4})]
    population, tape = together([good[0], bad[0], bad[1], good[1]])
    assert population.members == [0, 3]
    assert [population.diverged(member) for member in range(4)] == [False, True, True, False]
    for member in (1, 2):
        losses = tape.losses[member]
        first = next(i for i, loss in enumerate(losses) if not loss <= 1e20)
        assert population.broken_step[member] == first + 1
        assert len(tape.epochs[member]) == 1
    _, undisturbed = together(good)
    for here, there in ((0, 0), (3, 1)):
        np.testing.assert_allclose(tape.losses[here], undisturbed.losses[there], rtol=1e-5)
        np.testing.assert_allclose(tape.epochs[here], undisturbed.epochs[there], rtol=1e-5)


def test_a_population_that_diverges_as_a_whole_ends() -> None:
    configs = [resolve({**CIRCLES, "lr": 1e30, "seed": seed}) for seed in range(3)]
    population, tape = together(configs)
    assert population.members == []
    assert population.step == 3
    assert all(math.isinf(loss) or math.isnan(loss) or loss > 1e20 for loss in population.broken_loss)
    assert all(len(ended) == 1 for ended in tape.epochs.values())


def test_who_may_join_whom() -> None:
    def key(**given: object) -> object:
        return may_join(resolve({**CIRCLES, "init": "normal", **given}))

    same = key()
    assert same is not None
    for alike in ({"seed": 7}, {"lr": 3.0}, {"init_std": 0.2}, {"weight_decay": 0.1}, {"init": "xavier"}):
        assert key(**alike) == same
    assert key(dropout=0.1) == key(dropout=0.2)
    assert key(clip_norm=1) == key(clip_norm=2)
    for other in (
        {"hidden": "8"}, {"activation": "tanh"}, {"optimizer": "adam"}, {"epochs": 3}, {"threads": 2},
        {"dataset": "moons"}, {"implementation": "scratch"}, {"schedule": "cosine"}, {"dropout": 0.1}, {"clip_norm": 1},
        {"label_smoothing": 0.1},
    ):  # fmt: skip
        assert key(**other) not in (None, same)
    assert may_join(resolve({"model": "lenet", "dataset": "fashion-mnist"})) is None


def test_slices_are_as_large_as_the_memory_allows() -> None:
    config = resolve({**CIRCLES, "optimizer": "adam"})
    assert members_at_once(config, 0) == 1
    few, many = members_at_once(config, 10**7), members_at_once(config, 10**9)
    assert 1 < few < many
    assert many * bytes_of_member(config) < 10**9


class Interrupt(Exception):
    pass


def test_requests_are_looked_at_between_two_steps() -> None:
    """Whoever watches is asked after the step in which the control was told something; what it raises passes."""
    control = Control()
    config = resolve({**CIRCLES, "epochs": 1000})
    asked: list[int] = []

    class Impatient(Tape):
        def epoch(self, members: Sequence[int], number: int, figures: EpochFigures) -> None:
            if number == 2:
                control.stop()

        def between(self) -> None:
            asked.append(population.step)
            if control.stopping:
                raise Interrupt

    population = Population([config], [load(config)], torch.device("cpu"), control)
    with pytest.raises(Interrupt):
        population.train(Impatient())
    assert population.step == asked[-1] == 6


def test_members_with_one_seed_share_their_data() -> None:
    configs = [resolve({**CIRCLES, "seed": seed, "lr": lr}) for lr in (0.1, 0.2) for seed in (0, 1)]
    data: dict[int, Dataset] = {seed: load(resolve({**CIRCLES, "seed": seed})) for seed in (0, 1)}
    population = Population(configs, [data[c.seed] for c in configs], torch.device("cpu"), Control())
    tape = Tape()
    population.train(tape)
    for member, config in enumerate(configs):
        _, single = together([config])
        np.testing.assert_allclose(tape.losses[member], single.losses[0], rtol=1e-4)

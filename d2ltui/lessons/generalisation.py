"""Lessons about learning what is true of more than the training data."""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING

import msgspec

from d2ltui.lessons.bench import Bench, Trained, mean
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Figure, Measured, figure, shown

if TYPE_CHECKING:
    from d2ltui.data import Dataset

FEW = 200  # training samples that the dropout lesson leaves of digits


def _few(data: Dataset) -> Dataset:
    """The first FEW training samples, and the whole validation part."""
    info = msgspec.structs.replace(data.info, train_size=FEW)
    return dataclasses.replace(data, info=info, x_train=data.x_train[:FEW], y_train=data.y_train[:FEW])


def _losses(run: Trained) -> tuple[float, float]:
    """The mean loss of the training and the validation part at the end, both without dropout and without a penalty."""
    pairs = ((run.data.x_train, run.data.y_train), (run.data.x_val, run.data.y_val))
    train, val = (float(run.network.loss(run.outputs(x), y)) for x, y in pairs)
    return train, val


def dropout(bench: Bench) -> Measured:
    """Section 5.6's experiment on a few digits, and on Fashion-MNIST where it is at hand."""
    figures, gaps = _compare_dropout(bench, "digits")
    comment = (
        f"With {FEW} training samples the two losses are {gaps[0]:.2f} apart without dropout, {gaps[1]:.2f} with it."
    )
    if bench.has_fashion_mnist:
        more, gaps = _compare_dropout(bench, "Fashion-MNIST")
        figures += more
        comment += (
            f" On Fashion-MNIST, after {bench.config('Fashion-MNIST, without').epochs} epochs, they are {gaps[0]:.3f} "
            f"apart without dropout, and {gaps[1]:.3f} with it."
        )
    return Measured(figures, comment)


def _compare_dropout(bench: Bench, name: str) -> tuple[list[Figure], tuple[float, float]]:
    gap: dict[bool, float] = {}
    val: dict[bool, float] = {}
    accuracy: dict[bool, float] = {}
    train: dict[bool, float] = {}
    for dropped in (False, True):
        role = f"{name}, with dropout" if dropped else f"{name}, without"
        runs = []
        for seed in bench.seeds:
            data = bench.data(bench.config(role, seed))
            runs.append(bench.train(role, seed, dataset=_few(data) if name == "digits" else data))
        losses = [_losses(run) for run in runs]
        gap[dropped] = mean(v - t for t, v in losses)
        val[dropped] = mean(v for _, v in losses)
        accuracy[dropped] = mean(run.accuracy for run in runs)
        train[dropped] = mean(run.live.epochs[-1].train_loss for run in runs)
    # Of the book's experiment the bands are the mean ± 3 sd of three runs; of a few digits, what the claim says.
    few = name == "digits"
    lowest_gap, highest_gap = (0.0, 0.95 * gap[False]) if few else (None, None)
    without, with_dropout = ((None, None), (train[False], None)) if few else ((0.343, 0.363), (0.41, 0.43))
    lowest = accuracy[False] - 0.02 if few else 0.828
    figures = [
        figure(f"{name}: validation loss, without", val[False]),
        figure(f"{name}: validation loss, with dropout", val[True], high=val[False] if few else None),
        figure(f"{name}: validation loss minus train loss, without", gap[False], lowest_gap),
        figure(f"{name}: validation loss minus train loss, with dropout", gap[True], high=highest_gap),
        figure(f"{name}: loss while training, without", train[False], *without),
        figure(f"{name}: loss while training, with dropout", train[True], *with_dropout),
        figure(f"{name}: accuracy, without", accuracy[False]),
        figure(f"{name}: accuracy, with dropout", accuracy[True], low=lowest),
    ]
    return figures, (gap[False], gap[True])


_DIGITS = {"model": "mlp", "dataset": "digits", "hidden": "256,256", "epochs": 100}
_FASHION = {"model": "mlp", "dataset": "fashion-mnist", "hidden": "256,256", "epochs": 10}

DROPOUT = Lesson(
    name="dropout",
    title="Dropout",
    section="5.6",
    claim="Dropout holds back overfitting: the validation part's loss stays closer to the training part's.",
    formula="h′ = 0 with probability p, h / (1 − p) otherwise, so that E[h′] = h",
    text="""\
At every step each hidden unit is left out with probability p, and the others are scaled up to make up for it. No
unit can rely on a particular other one being there, so what is learned is spread out, and a few samples are harder
to learn by heart. For validation nothing is left out.

The price is that the training loss is higher, for it is the loss of a network with holes. To see the benefit there
must be overfitting: the lesson trains on 200 digits for 100 epochs. The book's own experiment, ten epochs of
Fashion-MNIST, is over before there is much overfitting to hold back; it is trained, too, where the data are at
hand.""",
    measure=dropout,
    experiments=(
        Experiment("digits, without", _DIGITS),
        Experiment("digits, with dropout", {**_DIGITS, "dropout": 0.5}),
        Experiment("Fashion-MNIST, without", _FASHION),
        Experiment("Fashion-MNIST, with dropout", {**_FASHION, "dropout": 0.5}),
    ),
)

INPUTS, TRAIN, VALIDATION = 200, 20, 100
DRAWS = 5  # data sets for each seed: with 20 samples, one says little


def _wide_linear(bench: Bench, seed: int) -> Dataset:
    """Section 3.7's data: y = .05 + Σ .01 xᵢ + noise of sd .01, with 200 inputs and 20 training samples."""
    import torch

    from d2ltui.data import Dataset

    generator = torch.Generator().manual_seed(seed)
    weight, bias = torch.full((INPUTS, 1), 0.01), torch.tensor([0.05])
    x = torch.randn(TRAIN + VALIDATION, INPUTS, generator=generator)
    y = x @ weight + bias + 0.01 * torch.randn(len(x), 1, generator=generator)
    named = bench.data(bench.config("without", seed)).info
    info = msgspec.structs.replace(named, input_shape=(INPUTS,), train_size=TRAIN, val_size=VALIDATION)
    return Dataset(info, x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], truth=(weight, bias))


def weight_decay(bench: Bench) -> Measured:
    """Section 3.7's experiment: 200 inputs and 20 training samples, with and without the penalty."""
    seeds = [DRAWS * seed + i for seed in bench.seeds for i in range(DRAWS)]
    norm: dict[str, list[float]] = {}
    train: dict[str, list[float]] = {}
    val: dict[str, list[float]] = {}
    for experiment in bench.lesson.experiments:
        role = experiment.role
        runs = [bench.train(role, seed, dataset=_wide_linear(bench, seed)) for seed in seeds]
        norm[role] = [float(run.network.weights()[-1][1].square().sum()) / 2 for run in runs]
        losses = [_losses(run) for run in runs]
        train[role], val[role] = [t for t, _ in losses], [v for _, v in losses]
    better = sum(a > b for a, b in zip(val["without"], val["with decay"], strict=True))
    fitted = statistics.median(train["without"])
    return Measured(
        [
            # The bands are the mean ± 3 sd of 20 runs with the book's settings.
            figure("½‖w‖² without", mean(norm["without"]), 0.0068, 0.0134),
            figure("½‖w‖² with λ = 3", mean(norm["with decay"]), 0.0009, 0.0021),
            figure("½‖w‖² with λ = 3, concise", mean(norm["with decay, concise"]), high=0.005),
            # A single data set that is not fitted would rule a mean of losses this small.
            figure("train loss without, the median", fitted, high=0.001),
            figure("train loss with λ = 3, the median", statistics.median(train["with decay"]), low=fitted),
            figure("validation loss without", mean(val["without"])),
            figure("validation loss with λ = 3", mean(val["with decay"]), high=0.8 * mean(val["without"])),
            figure(
                "data sets on which the validation loss is lower with λ = 3",
                better / len(seeds),
                low=0.8,
                unit="of all",
            ),
        ],
        f"{len(seeds)} data sets: train losses are medians, everything else is a mean. Predicting 0.05 for every "
        "sample, with no weights at all, has a loss of ½ · 200 · 0.01² = 0.01; on new samples the weights without "
        f"decay have {shown(mean(val['without']))}, those with λ = 3 {shown(mean(val['with decay']))}.",
    )


_WIDE = {"model": "linear", "dataset": "synthetic-linear", "batch_size": 5, "lr": 0.01, "epochs": 10}

WEIGHT_DECAY = Lesson(
    name="weight-decay",
    title="Weight decay",
    section="3.7",
    claim="Weight decay holds back overfitting.",
    formula="L(w, b) + λ/2 ‖w‖²\nw ← (1 − ηλ) w − η ∂L/∂w",
    text="""\
With 200 inputs and 20 samples there are many weights that fit the training data exactly, and most of them have
learned noise. The penalty asks for the smallest: every step first shrinks the weights a little, and only what the
data insist on is kept.

What some notebooks print as the L2 norm of w is ½‖w‖², and the losses that they draw contain the penalty. Here
losses are without it, so that the runs can be compared. The price is a training loss that is higher.""",
    measure=weight_decay,
    experiments=(
        Experiment("without", {**_WIDE, "implementation": "scratch"}),
        Experiment("with decay", {**_WIDE, "implementation": "scratch", "weight_decay": 3.0}),
        Experiment("with decay, concise", {**_WIDE, "implementation": "concise", "weight_decay": 3.0}),
    ),
)

LESSONS: tuple[Lesson, ...] = (DROPOUT, WEIGHT_DECAY)

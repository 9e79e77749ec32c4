"""Dropout (section 5.6)."""

from __future__ import annotations

from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.loss_gap import Losses, gap_follower
from d2ltui.lessons.measured import Experiment, Figure, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.numbers import number

FEW = 200  # training samples that the dropout lesson leaves of digits


def dropout(bench: Bench) -> Measured:
    """Section 5.6's experiment on a few digits, and on Fashion-MNIST where it is at hand."""
    bench.expect((4 if bench.has_fashion_mnist else 2) * len(bench.seeds))
    figures, gaps = _compare_dropout(bench, "digits")
    few_gaps = gaps
    comment = (
        f"With {FEW} training samples the two losses are {number(gaps[0], 2)} apart without dropout, "
        f"{number(gaps[1], 2)} with it."
    )
    if bench.has_fashion_mnist:
        more, gaps = _compare_dropout(bench, "Fashion-MNIST")
        figures += more
        comment += (
            f" On Fashion-MNIST, after {bench.config('Fashion-MNIST, without').epochs} epochs, they are "
            f"{number(gaps[0])} apart without dropout, and {number(gaps[1])} with it."
        )
    said = (
        f"After learning {FEW} digits by heart, the validation part's loss is {number(few_gaps[0], 2)} above the "
        f"training "
        f"part's; with dropout it is {number(few_gaps[1], 2)} above it."
    )
    return Measured(figures, comment, said)


def _compare_dropout(bench: Bench, name: str) -> tuple[list[Figure], tuple[float, float]]:
    gap: dict[bool, float] = {}
    val: dict[bool, float] = {}
    accuracy: dict[bool, float] = {}
    train: dict[bool, float] = {}
    drawn: Losses = {}
    for dropped in (False, True):
        role = f"{name}, with dropout" if dropped else f"{name}, without"
        runs = []
        for seed in bench.seeds:
            data = bench.data(bench.config(role, seed))
            data = first_samples(data, FEW) if name == "digits" else data
            draws = seed == 0 and name == "digits"
            look = gap_follower(bench, drawn, role.removeprefix("digits, "), data) if draws else None
            runs.append(bench.train(role, seed, dataset=data, each_epoch=look))
        losses = [run.losses() for run in runs]
        gap[dropped] = mean(v - t for t, v in losses)
        val[dropped] = mean(v for _, v in losses)
        accuracy[dropped] = mean(run.accuracy for run in runs)
        train[dropped] = mean(run.live.epochs[-1].train_loss for run in runs)
    # Of the book's experiment the bands are the mean ± 3 sd of three runs; of a few digits, what the claim says.
    few = name == "digits"
    lowest_gap, highest_gap = (0.0, 0.95 * gap[False]) if few else (None, None)
    without, with_dropout = ((None, None), (train[False], None)) if few else ((0.343, 0.363), (0.41, 0.43))
    lowest = accuracy[False] - 0.02 if few else 0.828
    plain = ("Gap of the losses without dropout", "Gap of the losses with dropout") if few else ("", "")
    figures = [
        figure(f"{name}: validation loss, without", val[False]),
        figure(f"{name}: validation loss, with dropout", val[True], high=val[False] if few else None),
        figure(f"{name}: validation loss minus train loss, without", gap[False], lowest_gap, plain=plain[0]),
        figure(f"{name}: validation loss minus train loss, with dropout", gap[True], high=highest_gap, plain=plain[1]),
        figure(f"{name}: loss while training, without", train[False], *without),
        figure(f"{name}: loss while training, with dropout", train[True], *with_dropout),
        figure(f"{name}: accuracy, without", accuracy[False]),
        figure(f"{name}: accuracy, with dropout", accuracy[True], low=lowest),
    ]
    return figures, (gap[False], gap[True])


_DIGITS = {"model": "mlp", "dataset": "digits", "hidden": "256,256", "epochs": 100}
_FASHION = {"model": "mlp", "dataset": "fashion-mnist", "hidden": "256,256", "epochs": 10}

LESSON = book_lesson(
    "dropout",
    measure=dropout,
    experiments=(
        Experiment("digits, without", _DIGITS),
        Experiment("digits, with dropout", {**_DIGITS, "dropout": 0.5}),
        Experiment("Fashion-MNIST, without", _FASHION),
        Experiment("Fashion-MNIST, with dropout", {**_FASHION, "dropout": 0.5}),
    ),
)

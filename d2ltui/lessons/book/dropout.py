"""Dropout (section 5.6)."""

from __future__ import annotations

from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.loss_gap import Losses, gap_follower, gap_picture
from d2ltui.lessons.measured import Experiment, Figure, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

FEW = 200  # training samples that the dropout lesson leaves of digits


def dropout(bench: Bench) -> Measured:
    """Section 5.6's experiment on a few digits, and on Fashion-MNIST where it is at hand."""
    bench.expect((4 if bench.has_fashion_mnist else 2) * len(bench.seeds))
    figures, gaps = _compare_dropout(bench, "digits")
    few_gaps = gaps
    comment = _(
        "With {few} training samples the two losses are {gaps_0} apart without dropout, {gaps_1} with it."
    ).format(few=FEW, gaps_0=number(gaps[0], 2), gaps_1=number(gaps[1], 2))
    if bench.has_fashion_mnist:
        more, gaps = _compare_dropout(bench, "Fashion-MNIST")
        figures += more
        comment += _(
            " On Fashion-MNIST, after {epochs} epochs, they are {gaps_0} apart without dropout, and {gaps_1} with it."
        ).format(epochs=bench.config("Fashion-MNIST, without").epochs, gaps_0=number(gaps[0]), gaps_1=number(gaps[1]))
    said = _(
        "After learning {few} digits by heart, the validation part's loss is {few_gaps_0} above "
        "the training part's; with dropout it is {few_gaps_1} above it."
    ).format(few=FEW, few_gaps_0=number(few_gaps[0], 2), few_gaps_1=number(few_gaps[1], 2))
    return Measured(figures, comment, said)


def _compare_dropout(bench: Bench, name: str) -> tuple[list[Figure], tuple[float, float]]:
    gap: dict[bool, float] = {}
    val: dict[bool, float] = {}
    accuracy: dict[bool, float] = {}
    train: dict[bool, float] = {}
    drawn: dict[str, list[Losses]] = {}
    short = {"without": _("without"), "with dropout": _("dropout")}
    for dropped in (False, True):
        role = f"{name}, with dropout" if dropped else f"{name}, without"
        runs = []
        for seed in bench.seeds:
            data = bench.data(bench.config(role, seed))
            data = first_samples(data, FEW) if name == "digits" else data
            look = None
            if name == "digits":
                losses: Losses = []
                drawn.setdefault(role.removeprefix("digits, "), []).append(losses)
                look = gap_follower(losses, data, lambda: bench.show(gap_picture(drawn, short)))
            runs.append(bench.train(role, seed, dataset=data, each_epoch=look))
        pairs = [run.losses() for run in runs]
        gap[dropped] = mean(v - t for t, v in pairs)
        val[dropped] = mean(v for _, v in pairs)
        accuracy[dropped] = mean(run.accuracy for run in runs)
        train[dropped] = mean(run.live.epochs[-1].train_loss for run in runs)
    # Of the book's experiment the bands are the mean ± 3 sd of three runs; of a few digits, what the claim says.
    few = name == "digits"
    lowest_gap, highest_gap = (0.0, 0.95 * gap[False]) if few else (None, None)
    without, with_dropout = ((None, None), (train[False], None)) if few else ((0.343, 0.363), (0.41, 0.43))
    lowest = accuracy[False] - 0.02 if few else 0.828
    plain = (_("Gap of the losses without dropout"), _("Gap of the losses with dropout")) if few else ("", "")
    figures = [
        figure(_("{name}: validation loss, without").format(name=role_in_words(name)), val[False]),
        figure(
            _("{name}: validation loss, with dropout").format(name=role_in_words(name)),
            val[True],
            high=val[False] if few else None,
        ),
        figure(
            _("{name}: validation loss minus training loss, without").format(name=role_in_words(name)),
            gap[False],
            lowest_gap,
            plain=plain[0],
        ),
        figure(
            _("{name}: validation loss minus training loss, with dropout").format(name=role_in_words(name)),
            gap[True],
            high=highest_gap,
            plain=plain[1],
        ),
        figure(_("{name}: loss while training, without").format(name=role_in_words(name)), train[False], *without),
        figure(
            _("{name}: loss while training, with dropout").format(name=role_in_words(name)), train[True], *with_dropout
        ),
        figure(_("{name}: accuracy, without").format(name=role_in_words(name)), accuracy[False]),
        figure(_("{name}: accuracy, with dropout").format(name=role_in_words(name)), accuracy[True], low=lowest),
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

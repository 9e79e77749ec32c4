"""Weight decay (section 3.7)."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.loss_gap import Losses, gap_follower, gap_picture
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.data import Dataset

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
    drawn: dict[str, list[Losses]] = {}
    short = {"without": _("without"), "with decay": _("decay")}
    norm: dict[str, list[float]] = {}
    train: dict[str, list[float]] = {}
    val: dict[str, list[float]] = {}
    bench.expect(len(seeds) * len(bench.lesson.experiments))
    for experiment in bench.lesson.experiments:
        role = experiment.role
        runs = []
        for seed in seeds:
            data = _wide_linear(bench, seed)
            look = None
            if role in short:
                pairs: Losses = []
                drawn.setdefault(role, []).append(pairs)
                look = gap_follower(pairs, data, lambda: bench.show(gap_picture(drawn, short)))
            runs.append(bench.train(role, seed, dataset=data, each_epoch=look))
        norm[role] = [float(run.network.weights()[-1][1].square().sum()) / 2 for run in runs]
        losses = [run.losses() for run in runs]
        train[role], val[role] = [t for t, _ in losses], [v for _, v in losses]
    better = sum(a > b for a, b in zip(val["without"], val["with decay"], strict=True))
    fitted = statistics.median(train["without"])
    return Measured(
        [
            # The bands are the mean ± 3 sd of 20 runs with the book's settings.
            figure(_("half the squared length of the weights, ½‖w‖², without"), mean(norm["without"]), 0.0068, 0.0134),
            figure(_("½‖w‖² with λ = 3"), mean(norm["with decay"]), 0.0009, 0.0021),
            figure(_("½‖w‖² with λ = 3, concise"), mean(norm["with decay, concise"]), high=0.005),
            # A single data set that is not fitted would rule a mean of losses this small.
            figure(_("training loss without, the median"), fitted, high=0.001),
            figure(_("training loss with λ = 3, the median"), statistics.median(train["with decay"]), low=fitted),
            figure(_("validation loss without"), mean(val["without"]), plain=_("Loss on new samples, without")),
            figure(
                _("validation loss with λ = 3"),
                mean(val["with decay"]),
                high=0.8 * mean(val["without"]),
                plain=_("Loss on new samples, with decay"),
            ),
            figure(
                _("data sets on which the validation loss is lower with λ = 3"),
                better / len(seeds),
                low=0.8,
                unit="of all",
            ),
        ],
        _(
            "{sets} data sets: training losses are medians, everything else is a mean. Predicting 0.05 "
            "for every sample, with no weights at all, has a loss of ½ · 200 · 0.01² = 0.01; on new "
            "samples the weights without decay have {val_without}, those with λ = 3 {val_with_decay}."
        ).format(
            sets=len(seeds), val_without=shown(mean(val["without"])), val_with_decay=shown(mean(val["with decay"]))
        ),
        _(
            "On new samples the loss is {val_without} without weight decay and {val_with_decay} with "
            "it, and it is lower with it on {better} of {sets} data sets."
        ).format(
            val_without=shown(mean(val["without"])),
            val_with_decay=shown(mean(val["with decay"])),
            better=better,
            sets=len(seeds),
        ),
    )


_WIDE = {"model": "linear", "dataset": "synthetic-linear", "batch_size": 5, "lr": 0.01, "epochs": 10}

LESSON = book_lesson(
    "weight-decay",
    measure=weight_decay,
    experiments=(
        Experiment("without", {**_WIDE, "implementation": "scratch"}),
        Experiment("with decay", {**_WIDE, "implementation": "scratch", "weight_decay": 3.0}),
        Experiment("with decay, concise", {**_WIDE, "implementation": "concise", "weight_decay": 3.0}),
    ),
)

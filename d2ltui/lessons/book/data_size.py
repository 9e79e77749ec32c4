"""More samples, less overfitting (section 3.6.2.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset

    Choose: TypeAlias = Callable[[Dataset, int], Dataset]

SIZES = (20, 60, 200, 600, 1437)
STEPS = 250  # about as many for each size: what differs is the samples
ROLE = "network"


def data_size(bench: Bench, choose: Choose = first_samples) -> Measured:
    """The same network on more and more samples, for the same number of steps."""
    train: dict[int, list[float]] = {}
    val: dict[int, list[float]] = {}
    bench.expect(len(SIZES) * len(bench.seeds))
    for size in SIZES:
        for seed in bench.seeds:
            config = bench.config(ROLE, seed)
            data = choose(bench.data(config), size)
            batch = min(config.batch_size, size)
            epochs = max(1, round(STEPS / math.ceil(size / batch)))
            label = f"{size:,} samples"
            run = bench.train(ROLE, seed, label=label, dataset=data, batch_size=batch, epochs=epochs)
            right = run.outputs(data.x_train).argmax(dim=1) == data.y_train
            train.setdefault(size, []).append(float(right.double().mean()))
            val.setdefault(size, []).append(run.accuracy)
            bench.show(_picture(train, val))
    few, many = SIZES[0], SIZES[-1]
    gap = {size: mean(train[size]) - mean(val[size]) for size in SIZES}
    risen = sum(mean(val[a]) < mean(val[b]) for a, b in itertools.pairwise(SIZES))
    return Measured(
        [
            figure(f"{few} samples: accuracy on them", mean(train[few]), low=0.95, unit="of the samples"),
            figure(
                f"{few} samples: accuracy on new ones",
                mean(val[few]),
                high=0.8,
                unit="of the samples",
                plain=f"Right on new samples after learning from {few}",
            ),
            figure(
                f"{many:,} samples: accuracy on new ones",
                mean(val[many]),
                low=0.88,
                unit="of the samples",
                plain=f"Right on new samples after learning from {many:,}",
            ),
            figure(f"{few} samples: the gap between both", gap[few], low=0.2),
            figure(
                f"the gap with {many:,} samples, with {few} being 1",
                gap[many] / max(gap[few], 1e-9),
                high=0.35,
                plain=f"Gap with {many:,} samples, with {few} being 1",
            ),
            figure(
                f"of {len(SIZES) - 1} larger data sets, better than the next smaller one",
                risen,
                low=len(SIZES) - 2,  # the last two are nearly as good as each other
            ),
        ],
        f"About {STEPS} steps each, so that what differs is not the length of the training.",
        f"From {few} samples the network learns those to {whole_percent(mean(train[few]))} and is right on "
        f"{whole_percent(mean(val[few]))} of new ones; from {many:,} it is right on {whole_percent(mean(val[many]))}, "
        f"and the gap shrinks from {whole_percent(gap[few])} to {whole_percent(gap[many])}.",
    )


def _picture(train: dict[int, list[float]], val: dict[int, list[float]]) -> Panels:
    """Both accuracies over the number of samples; the gap lies between the lines."""
    x = [float(size) for size in val]
    curves = tuple(
        Curve(label, x, [100 * mean(found) for found in part.values()], index, label[0])
        for index, (label, part) in enumerate((("trained samples", train), ("new samples", val)))
    )
    diagram = Curves(curves, (float(SIZES[0]), float(SIZES[-1])), "n", low=0.0, high=100.0, log_x=True)
    return Panels((Panel("Right in %, by n training samples", diagram),), columns=1)


LESSON = book_lesson(
    "data-size",
    measure=data_size,
    experiments=(Experiment(ROLE, {"model": "mlp", "dataset": "digits", "hidden": "64", "optimizer": "adam"}),),
)
